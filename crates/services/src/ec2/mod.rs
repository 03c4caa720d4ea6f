//! EC2, as far as its instances can be processes: one operation a file, and the list of them all.

mod create_launch_template;
mod create_launch_template_version;
mod delete_launch_template;
mod delete_launch_template_versions;
mod describe_images;
mod describe_instance_status;
mod describe_instance_types;
mod describe_instances;
mod describe_launch_template_versions;
mod describe_launch_templates;
mod describe_tags;
mod fault;
mod filter;
mod get_console_output;
mod ids;
mod instance;
mod modify_launch_template;
mod page;
mod recipe;
mod recipe_shown;
mod run_instances;
mod state_change;
mod tags;
mod template;

use tidemill_api::ec2::{Request, Response};
use tidemill_fleet::{Fleet, Owner};
use tidemill_queue::Engine;
use tidemill_wire::Fault;

use crate::context::Context;

pub(crate) use self::fault::{of as told, refused};
pub(crate) use self::ids::{template_of, version};
pub(crate) use self::instance::facts;
pub(crate) use self::recipe::{check, user_data};

/// The service over its engine.
#[derive(Clone)]
pub struct Ec2 {
    fleet: Option<Fleet>,
    /// It looks after the disk for all: where it takes nothing in, neither do we. And it knows
    /// which instances are given no messages.
    queues: Engine,
}

impl Ec2 {
    /// The service that serves `fleet`, if there is one, while the disk takes in what comes to
    /// `queues`.
    pub fn new(fleet: Option<Fleet>, queues: Engine) -> Self {
        Self { fleet, queues }
    }

    /// Answers one request.
    pub async fn handle(&self, cx: &Context<'_>, request: Request) -> Result<Response, Fault> {
        let off = "instances are turned off (--instances)";
        let fleet = self.fleet.as_ref().ok_or_else(|| fault::unsupported(off))?;
        if fault::is_dry(&request) {
            return Err(fault::dry_run());
        }
        let owner = Owner { account: cx.account(), region: cx.region.clone() };
        if is_change(&request) {
            self.may_change()?;
        }
        let call = Call { fleet, queues: &self.queues, owner };
        call.answer(request).await
    }

    /// Refuses a change that the disk may not keep.
    fn may_change(&self) -> Result<(), Fault> {
        self.queues.failure().map_or(Ok(()), |failure| Err(fault::of_disk(&failure)))
    }
}

/// A request's surroundings: where it is answered from, and for whom.
struct Call<'a> {
    fleet: &'a Fleet,
    queues: &'a Engine,
    owner: Owner,
}

impl Call<'_> {
    async fn answer(&self, request: Request) -> Result<Response, Fault> {
        use {Request as Q, Response as A};
        match request {
            Q::CreateLaunchTemplate(it) => {
                create_launch_template::handle(self, it).await.map(A::CreateLaunchTemplate)
            }
            Q::CreateLaunchTemplateVersion(it) => create_launch_template_version::handle(self, it)
                .await
                .map(A::CreateLaunchTemplateVersion),
            Q::CreateTags(it) => tags::create(self, it).await.map(|()| A::CreateTags),
            Q::DeleteLaunchTemplate(it) => {
                delete_launch_template::handle(self, &it).await.map(A::DeleteLaunchTemplate)
            }
            Q::DeleteLaunchTemplateVersions(it) => {
                delete_launch_template_versions::handle(self, &it)
                    .await
                    .map(A::DeleteLaunchTemplateVersions)
            }
            Q::DeleteTags(it) => tags::delete(self, &it).await.map(|()| A::DeleteTags),
            Q::DescribeImages(it) => describe_images::handle(self, &it).map(A::DescribeImages),
            Q::DescribeInstanceStatus(it) => {
                describe_instance_status::handle(self, &it).map(A::DescribeInstanceStatus)
            }
            Q::DescribeInstanceTypes(it) => {
                describe_instance_types::handle(&it).map(A::DescribeInstanceTypes)
            }
            Q::DescribeInstances(it) => {
                describe_instances::handle(self, &it).map(A::DescribeInstances)
            }
            Q::DescribeLaunchTemplateVersions(it) => {
                describe_launch_template_versions::handle(self, &it)
                    .map(A::DescribeLaunchTemplateVersions)
            }
            Q::DescribeLaunchTemplates(it) => {
                describe_launch_templates::handle(self, &it).map(A::DescribeLaunchTemplates)
            }
            Q::DescribeTags(it) => describe_tags::handle(self, &it).map(A::DescribeTags),
            Q::GetConsoleOutput(it) => {
                get_console_output::handle(self, it).await.map(A::GetConsoleOutput)
            }
            Q::ModifyLaunchTemplate(it) => {
                modify_launch_template::handle(self, &it).await.map(A::ModifyLaunchTemplate)
            }
            Q::RebootInstances(it) => {
                state_change::reboot(self, &it).await.map(|()| A::RebootInstances)
            }
            Q::RunInstances(it) => run_instances::handle(self, it).await.map(A::RunInstances),
            Q::StartInstances(it) => state_change::start(self, &it).await.map(A::StartInstances),
            Q::StopInstances(it) => state_change::stop(self, &it).await.map(A::StopInstances),
            Q::TerminateInstances(it) => {
                state_change::terminate(self, &it).await.map(A::TerminateInstances)
            }
        }
    }
}

/// Whether a request changes anything.
fn is_change(request: &Request) -> bool {
    use Request as Q;
    match request {
        Q::DescribeImages(_)
        | Q::DescribeInstanceStatus(_)
        | Q::DescribeInstanceTypes(_)
        | Q::DescribeInstances(_)
        | Q::DescribeLaunchTemplateVersions(_)
        | Q::DescribeLaunchTemplates(_)
        | Q::DescribeTags(_)
        | Q::GetConsoleOutput(_) => false,
        Q::CreateLaunchTemplate(_)
        | Q::CreateLaunchTemplateVersion(_)
        | Q::CreateTags(_)
        | Q::DeleteLaunchTemplate(_)
        | Q::DeleteLaunchTemplateVersions(_)
        | Q::DeleteTags(_)
        | Q::ModifyLaunchTemplate(_)
        | Q::RebootInstances(_)
        | Q::RunInstances(_)
        | Q::StartInstances(_)
        | Q::StopInstances(_)
        | Q::TerminateInstances(_) => true,
    }
}
