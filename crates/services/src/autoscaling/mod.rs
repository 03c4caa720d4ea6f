//! EC2 Auto Scaling: one operation, or a few of the same kind, a file, the list of them all, and
//! the loop that has groups be as they are to be.

mod account;
mod activity;
mod controller;
mod delete_auto_scaling_group;
mod describe_groups;
mod drain;
mod fast;
mod fault;
mod group;
mod hooks;
mod instances;
mod launch;
mod launch_configuration;
mod metrics;
mod names;
mod page;
mod processes;
mod put_group;
mod set_desired_capacity;
mod settings;
mod stand;
mod tags;
mod tuning;
mod words;

pub use self::group::target_of;
pub use self::metrics::{GroupMetric, METRICS};
pub use self::tuning::Mode;

use tidemill_api::autoscaling::{Request, Response};
use tidemill_fleet::Fleet;
use tidemill_queue::Engine;
use tidemill_scaling::group::Groups;
use tidemill_wire::Fault;

use crate::context::Context;

/// The service over its engines: the groups, and those who run their instances.
#[derive(Clone)]
pub struct AutoScaling {
    groups: Groups,
    fleet: Option<Fleet>,
    /// It looks after the disk for all: where it takes nothing in, neither do we.
    queues: Engine,
    /// Which mind scales a group whose tags do not say.
    mode: Mode,
}

impl AutoScaling {
    /// The service that serves `groups` of instances of `fleet`, if there is one, while the disk
    /// takes in what comes to `queues`; `mode` says which mind scales a group whose tags do not
    /// say.
    pub fn new(groups: Groups, fleet: Option<Fleet>, queues: Engine, mode: Mode) -> Self {
        Self { groups, fleet, queues, mode }
    }

    /// Answers one request.
    pub async fn handle(&self, cx: &Context<'_>, request: Request) -> Result<Response, Fault> {
        self.fleet()?;
        if let Some(answer) = self.describe(cx, &request)? {
            return Ok(answer);
        }
        self.may_change()?;
        self.change(cx, request).await
    }

    /// Answers what only looks; `None` if it does more.
    fn describe(&self, cx: &Context<'_>, request: &Request) -> Result<Option<Response>, Fault> {
        use {Request as Q, Response as A};
        let answer = match request {
            Q::DescribeAccountLimits => Ok(A::DescribeAccountLimits(account::limits(self, cx))),
            Q::DescribeAutoScalingGroups(it) => {
                describe_groups::handle(self, cx, it).map(A::DescribeAutoScalingGroups)
            }
            Q::DescribeAutoScalingInstances(it) => {
                instances::describe(self, cx, it).map(A::DescribeAutoScalingInstances)
            }
            Q::DescribeLaunchConfigurations(it) => {
                launch_configuration::describe(self, cx, it).map(A::DescribeLaunchConfigurations)
            }
            Q::DescribeLifecycleHookTypes => Ok(A::DescribeLifecycleHookTypes(hooks::types())),
            Q::DescribeLifecycleHooks(it) => {
                hooks::describe(self, cx, it).map(A::DescribeLifecycleHooks)
            }
            Q::DescribeMetricCollectionTypes => {
                Ok(A::DescribeMetricCollectionTypes(metrics::types()))
            }
            Q::DescribeScalingActivities(it) => {
                activity::describe(self, cx, it).map(A::DescribeScalingActivities)
            }
            Q::DescribeScalingProcessTypes => {
                Ok(A::DescribeScalingProcessTypes(processes::types()))
            }
            Q::DescribeTags(it) => tags::describe(self, cx, it).map(A::DescribeTags),
            Q::DescribeTerminationPolicyTypes => {
                Ok(A::DescribeTerminationPolicyTypes(account::termination_policies()))
            }
            Q::AttachInstances(_)
            | Q::CompleteLifecycleAction(_)
            | Q::CreateAutoScalingGroup(_)
            | Q::CreateLaunchConfiguration(_)
            | Q::CreateOrUpdateTags(_)
            | Q::DeleteAutoScalingGroup(_)
            | Q::DeleteLaunchConfiguration(_)
            | Q::DeleteLifecycleHook(_)
            | Q::DeleteTags(_)
            | Q::DetachInstances(_)
            | Q::DisableMetricsCollection(_)
            | Q::EnableMetricsCollection(_)
            | Q::EnterStandby(_)
            | Q::ExitStandby(_)
            | Q::PutLifecycleHook(_)
            | Q::RecordLifecycleActionHeartbeat(_)
            | Q::ResumeProcesses(_)
            | Q::SetDesiredCapacity(_)
            | Q::SetInstanceHealth(_)
            | Q::SetInstanceProtection(_)
            | Q::SuspendProcesses(_)
            | Q::TerminateInstanceInAutoScalingGroup(_)
            | Q::UpdateAutoScalingGroup(_) => return Ok(None),
        };
        answer.map(Some)
    }

    async fn change(&self, cx: &Context<'_>, request: Request) -> Result<Response, Fault> {
        use {Request as Q, Response as A};
        match request {
            Q::CreateAutoScalingGroup(it) => {
                put_group::create(self, cx, it).await.map(|()| A::CreateAutoScalingGroup)
            }
            Q::CreateLaunchConfiguration(it) => launch_configuration::create(self, cx, &it)
                .await
                .map(|()| A::CreateLaunchConfiguration),
            Q::CreateOrUpdateTags(it) => {
                tags::put(self, cx, &it).await.map(|()| A::CreateOrUpdateTags)
            }
            Q::DeleteAutoScalingGroup(it) => delete_auto_scaling_group::handle(self, cx, &it)
                .await
                .map(|()| A::DeleteAutoScalingGroup),
            Q::DeleteLaunchConfiguration(it) => launch_configuration::delete(self, cx, &it)
                .await
                .map(|()| A::DeleteLaunchConfiguration),
            Q::DeleteLifecycleHook(it) => {
                hooks::delete(self, cx, &it).await.map(A::DeleteLifecycleHook)
            }
            Q::DeleteTags(it) => tags::delete(self, cx, &it).await.map(|()| A::DeleteTags),
            Q::DisableMetricsCollection(it) => {
                metrics::disable(self, cx, &it).await.map(|()| A::DisableMetricsCollection)
            }
            Q::EnableMetricsCollection(it) => {
                metrics::enable(self, cx, &it).await.map(|()| A::EnableMetricsCollection)
            }
            Q::PutLifecycleHook(it) => hooks::put(self, cx, &it).await.map(A::PutLifecycleHook),
            Q::ResumeProcesses(it) => {
                processes::set(self, cx, &it, false).await.map(|()| A::ResumeProcesses)
            }
            Q::SetDesiredCapacity(it) => {
                set_desired_capacity::handle(self, cx, &it).await.map(|()| A::SetDesiredCapacity)
            }
            Q::SuspendProcesses(it) => {
                processes::set(self, cx, &it, true).await.map(|()| A::SuspendProcesses)
            }
            Q::UpdateAutoScalingGroup(it) => {
                put_group::update(self, cx, it).await.map(|()| A::UpdateAutoScalingGroup)
            }
            request @ (Q::AttachInstances(_)
            | Q::CompleteLifecycleAction(_)
            | Q::DetachInstances(_)
            | Q::EnterStandby(_)
            | Q::ExitStandby(_)
            | Q::RecordLifecycleActionHeartbeat(_)
            | Q::SetInstanceHealth(_)
            | Q::SetInstanceProtection(_)
            | Q::TerminateInstanceInAutoScalingGroup(_)) => {
                self.change_instances(cx, request).await
            }
            Q::DescribeAccountLimits
            | Q::DescribeAutoScalingGroups(_)
            | Q::DescribeAutoScalingInstances(_)
            | Q::DescribeLaunchConfigurations(_)
            | Q::DescribeLifecycleHookTypes
            | Q::DescribeLifecycleHooks(_)
            | Q::DescribeMetricCollectionTypes
            | Q::DescribeScalingActivities(_)
            | Q::DescribeScalingProcessTypes
            | Q::DescribeTags(_)
            | Q::DescribeTerminationPolicyTypes => {
                unreachable!("who only looks was answered")
            }
        }
    }

    /// The same, of single instances.
    async fn change_instances(
        &self,
        cx: &Context<'_>,
        request: Request,
    ) -> Result<Response, Fault> {
        use {Request as Q, Response as A};
        match request {
            Q::AttachInstances(it) => {
                stand::attach(self, cx, &it).await.map(|()| A::AttachInstances)
            }
            Q::CompleteLifecycleAction(it) => {
                hooks::complete(self, cx, &it).await.map(A::CompleteLifecycleAction)
            }
            Q::DetachInstances(it) => stand::detach(self, cx, &it).await.map(A::DetachInstances),
            Q::EnterStandby(it) => stand::enter(self, cx, &it).await.map(A::EnterStandby),
            Q::ExitStandby(it) => stand::exit(self, cx, &it).await.map(A::ExitStandby),
            Q::RecordLifecycleActionHeartbeat(it) => {
                hooks::renew(self, cx, &it).await.map(A::RecordLifecycleActionHeartbeat)
            }
            Q::SetInstanceHealth(it) => {
                instances::set_health(self, cx, &it).await.map(|()| A::SetInstanceHealth)
            }
            Q::SetInstanceProtection(it) => {
                instances::protect(self, cx, &it).await.map(A::SetInstanceProtection)
            }
            Q::TerminateInstanceInAutoScalingGroup(it) => instances::terminate(self, cx, &it)
                .await
                .map(A::TerminateInstanceInAutoScalingGroup),
            _ => unreachable!("the others are of groups"),
        }
    }

    /// The groups, for those who decide on their sizes.
    pub fn groups(&self) -> &Groups {
        &self.groups
    }

    fn fleet(&self) -> Result<&Fleet, Fault> {
        let off = "instances are turned off (--instances)";
        self.fleet.as_ref().ok_or_else(|| fault::validation(off))
    }

    /// Refuses a change that the disk may not keep.
    fn may_change(&self) -> Result<(), Fault> {
        self.queues.failure().map_or(Ok(()), |failure| Err(fault::of_disk(&failure)))
    }
}
