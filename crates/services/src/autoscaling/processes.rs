//! SuspendProcesses, ResumeProcesses and DescribeScalingProcessTypes.

use tidemill_api::autoscaling::{ProcessType, ProcessesType, ScalingProcessQuery};
use tidemill_scaling::group::Process;
use tidemill_wire::Fault;

use super::{AutoScaling, fault, names};
use crate::context::Context;

/// The name of a process.
pub(super) fn name(process: Process) -> &'static str {
    match process {
        Process::Launch => "Launch",
        Process::Terminate => "Terminate",
        Process::AddToLoadBalancer => "AddToLoadBalancer",
        Process::AlarmNotification => "AlarmNotification",
        Process::AzRebalance => "AZRebalance",
        Process::HealthCheck => "HealthCheck",
        Process::InstanceRefresh => "InstanceRefresh",
        Process::ReplaceUnhealthy => "ReplaceUnhealthy",
        Process::ScheduledActions => "ScheduledActions",
    }
}

pub(super) async fn set(
    service: &AutoScaling,
    cx: &Context<'_>,
    it: &ScalingProcessQuery,
    suspended: bool,
) -> Result<(), Fault> {
    let key = names::key(cx, &it.auto_scaling_group_name);
    let given = it.scaling_processes.as_deref().unwrap_or_default();
    let read = |given: &String| {
        let found = Process::ALL.into_iter().find(|process| name(*process) == given);
        found.ok_or_else(|| {
            fault::validation(format!(
                "{given} is no process of a group: DescribeScalingProcessTypes lists them."
            ))
        })
    };
    let mut processes: Vec<Process> = given.iter().map(read).collect::<Result<_, _>>()?;
    if processes.is_empty() {
        processes.extend(Process::ALL);
    }
    service.groups.suspend(&key, &processes, suspended).await.map_err(fault::of)
}

pub(super) fn types() -> ProcessesType {
    let mut names: Vec<&str> = Process::ALL.into_iter().map(name).collect();
    names.sort_unstable();
    let one = |name: &str| ProcessType { process_name: name.to_owned() };
    ProcessesType { processes: Some(names.into_iter().map(one).collect()) }
}
