//! EC2 Auto Scaling: one operation, or a few of the same kind, a file, the list of them all, and
//! the loop that has groups be as they are to be.

mod account;
mod activity;
mod controller;
mod delete_auto_scaling_group;
mod describe_groups;
mod drain;
mod execute_policy;
mod fast;
mod fault;
mod group;
mod group_minutes;
mod hooks;
mod instance_refresh;
mod instances;
mod launch;
mod launch_configuration;
mod metrics;
mod names;
mod notices;
mod notifications;
mod page;
mod policies;
mod processes;
mod put_group;
mod refresh_words;
#[cfg(test)]
mod samples;
mod scheduled_actions;
mod set_desired_capacity;
mod settings;
mod stand;
mod tags;
mod target_tracking;
mod tuning;
mod words;

pub use self::group::target_of;
pub use self::metrics::{GroupMetric, METRICS};
pub use self::tuning::Mode;
pub(crate) use execute_policy::PolicyAction;

use std::sync::Arc;

use tidemill_api::autoscaling::{Request, Response};
use tidemill_fleet::Fleet;
use tidemill_metric::Metrics;
use tidemill_queue::Engine;
use tidemill_scaling::group::Groups;
use tidemill_wire::Fault;
use tokio::sync::Mutex;

use crate::context::Context;
use crate::sns::Sns;

/// The service over its engines: the groups, and those who run their instances.
#[derive(Clone)]
pub struct AutoScaling {
    groups: Groups,
    fleet: Option<Fleet>,
    /// It looks after the disk for all: where it takes nothing in, neither do we.
    queues: Engine,
    /// Where the groups' counts go, and the alarms that policies keep.
    metrics: Metrics,
    /// Which mind scales a group whose tags do not say.
    mode: Mode,
    /// Held while the policies' alarms are looked after.
    keeping: Arc<Mutex<()>>,
    /// Whose topics groups tell.
    sns: Option<Sns>,
}

/// The list of the operations, and what answers each. One that is `done` has nothing to say.
macro_rules! answers {
    ($request:ident: $($name:ident $(($it:ident))? = $kind:ident $call:expr;)*) => {
        match $request {
            $(Request::$name $(($it))? => answers!($kind $name $call),)*
        }
    };
    (done $name:ident $call:expr) => {
        $call.map(|()| Response::$name)
    };
    (gives $name:ident $call:expr) => {
        $call.map(Response::$name)
    };
}

impl AutoScaling {
    /// The service that serves `groups` of instances of `fleet`, if there is one, while the disk
    /// takes in what comes to `queues`; `mode` says which mind scales a group whose tags do not
    /// say.
    pub fn new(
        groups: Groups,
        fleet: Option<Fleet>,
        queues: Engine,
        metrics: Metrics,
        mode: Mode,
    ) -> Self {
        Self { groups, fleet, queues, metrics, mode, keeping: Arc::default(), sns: None }
    }

    /// The same, whose groups tell the topics of `sns`.
    #[must_use]
    pub fn telling(self, sns: Sns) -> Self {
        Self { sns: Some(sns), ..self }
    }

    /// Answers one request.
    pub async fn handle(&self, cx: &Context<'_>, request: Request) -> Result<Response, Fault> {
        self.fleet()?;
        if !request.operation().name.starts_with("Describe") {
            self.may_change()?;
        }
        self.answer(cx, request).await
    }

    async fn answer(&self, cx: &Context<'_>, request: Request) -> Result<Response, Fault> {
        answers! { request:
            AttachInstances(it) = done stand::attach(self, cx, &it).await;
            BatchDeleteScheduledAction(it) =
                gives scheduled_actions::delete_many(self, cx, it).await;
            BatchPutScheduledUpdateGroupAction(it) =
                gives scheduled_actions::put_many(self, cx, it).await;
            CancelInstanceRefresh(it) = gives instance_refresh::cancel(self, cx, &it).await;
            CompleteLifecycleAction(it) = gives hooks::complete(self, cx, &it).await;
            CreateAutoScalingGroup(it) = done put_group::create(self, cx, it).await;
            CreateLaunchConfiguration(it) = done launch_configuration::create(self, cx, &it).await;
            CreateOrUpdateTags(it) = done tags::put(self, cx, &it).await;
            DeleteAutoScalingGroup(it) =
                done delete_auto_scaling_group::handle(self, cx, &it).await;
            DeleteLaunchConfiguration(it) = done launch_configuration::delete(self, cx, &it).await;
            DeleteLifecycleHook(it) = gives hooks::delete(self, cx, &it).await;
            DeleteNotificationConfiguration(it) =
                done notifications::delete(self, cx, &it).await;
            DeletePolicy(it) = done policies::delete(self, cx, &it).await;
            DeleteScheduledAction(it) = done scheduled_actions::delete(self, cx, &it).await;
            DeleteTags(it) = done tags::delete(self, cx, &it).await;
            DescribeAccountLimits = gives Ok(account::limits(self, cx));
            DescribeAdjustmentTypes = gives Ok(policies::adjustment_types());
            DescribeAutoScalingGroups(it) = gives describe_groups::handle(self, cx, &it);
            DescribeAutoScalingNotificationTypes = gives Ok(notifications::types());
            DescribeAutoScalingInstances(it) = gives instances::describe(self, cx, &it);
            DescribeInstanceRefreshes(it) = gives instance_refresh::describe(self, cx, &it);
            DescribeLaunchConfigurations(it) = gives launch_configuration::describe(self, cx, &it);
            DescribeLifecycleHookTypes = gives Ok(hooks::types());
            DescribeLifecycleHooks(it) = gives hooks::describe(self, cx, &it);
            DescribeMetricCollectionTypes = gives Ok(metrics::types());
            DescribeNotificationConfigurations(it) =
                gives notifications::describe(self, cx, &it);
            DescribePolicies(it) = gives policies::describe(self, cx, &it);
            DescribeScalingActivities(it) = gives activity::describe(self, cx, &it);
            DescribeScalingProcessTypes = gives Ok(processes::types());
            DescribeScheduledActions(it) = gives scheduled_actions::describe(self, cx, &it);
            DescribeTags(it) = gives tags::describe(self, cx, &it);
            DescribeTerminationPolicyTypes = gives Ok(account::termination_policies());
            DetachInstances(it) = gives stand::detach(self, cx, &it).await;
            DisableMetricsCollection(it) = done metrics::disable(self, cx, &it).await;
            EnableMetricsCollection(it) = done metrics::enable(self, cx, &it).await;
            EnterStandby(it) = gives stand::enter(self, cx, &it).await;
            ExecutePolicy(it) = done execute_policy::handle(self, cx, &it).await;
            ExitStandby(it) = gives stand::exit(self, cx, &it).await;
            PutLifecycleHook(it) = gives hooks::put(self, cx, &it).await;
            PutNotificationConfiguration(it) =
                done notifications::put(self, cx, it).await;
            PutScalingPolicy(it) = gives policies::put(self, cx, &it).await;
            PutScheduledUpdateGroupAction(it) = done scheduled_actions::put(self, cx, it).await;
            RecordLifecycleActionHeartbeat(it) = gives hooks::renew(self, cx, &it).await;
            ResumeProcesses(it) = done processes::set(self, cx, &it, false).await;
            RollbackInstanceRefresh(it) = gives instance_refresh::roll_back(self, cx, &it).await;
            SetDesiredCapacity(it) = done set_desired_capacity::handle(self, cx, &it).await;
            SetInstanceHealth(it) = done instances::set_health(self, cx, &it).await;
            SetInstanceProtection(it) = gives instances::protect(self, cx, &it).await;
            StartInstanceRefresh(it) = gives instance_refresh::start(self, cx, &it).await;
            SuspendProcesses(it) = done processes::set(self, cx, &it, true).await;
            TerminateInstanceInAutoScalingGroup(it) =
                gives instances::terminate(self, cx, &it).await;
            UpdateAutoScalingGroup(it) = done put_group::update(self, cx, it).await;
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
