//! DescribeInstanceStatus: whether instances do well.
//!
//! An instance is impaired when a unit of it has failed and is not started again, or a script of it
//! ended badly: AWS would call that instance well, and tell nobody.

use tidemill_api::ec2::{
    DescribeInstanceStatusRequest, DescribeInstanceStatusResult, InstanceStatus,
    InstanceStatusDetails, InstanceStatusSummary,
};
use tidemill_fleet::{Instance, Phase};
use tidemill_wire::Fault;

use super::describe_instances::chosen;
use super::filter::{self, Values};
use super::page::page;
use super::{Call, instance};

pub(super) fn handle(
    call: &Call<'_>,
    it: &DescribeInstanceStatusRequest,
) -> Result<DescribeInstanceStatusResult, Fault> {
    let all = it.include_all_instances == Some(true);
    let mut passed = Vec::new();
    for found in chosen(call, it.instance_ids.as_deref().unwrap_or_default())? {
        if !all && found.phase != Phase::Running {
            continue;
        }
        let health = health(call, &found);
        if filter::passes(it.filters.as_deref(), |name| values(&found, health, name))? {
            passed.push((found.id.to_string(), shown(&found, health)));
        }
    }
    let limit = (it.max_results, 5, 1000);
    let (statuses, next_token) = page(passed, it.next_token.as_deref(), limit)?;
    Ok(DescribeInstanceStatusResult { instance_statuses: Some(statuses), next_token })
}

/// How an instance does: the word for all of it, and for whether it can be reached.
fn health(call: &Call<'_>, instance: &Instance) -> (&'static str, &'static str) {
    match (instance.phase, call.fleet.status(instance.id)) {
        (Phase::Running, Some(status)) if status.has_failed() => ("impaired", "failed"),
        (Phase::Running, Some(_)) => ("ok", "passed"),
        (Phase::Running | Phase::Pending, _) => ("initializing", "initializing"),
        _ => ("not-applicable", "insufficient-data"),
    }
}

fn shown(it: &Instance, (word, reachability): (&str, &str)) -> InstanceStatus {
    let summary = |word: &str, reachability: &str| InstanceStatusSummary {
        status: Some(word.into()),
        details: Some(vec![InstanceStatusDetails {
            name: Some("reachability".into()),
            status: Some(reachability.into()),
            impaired_since: None,
        }]),
    };
    // The machine that we run on does well, or nobody would answer.
    let system = match word {
        "impaired" => summary("ok", "passed"),
        _ => summary(word, reachability),
    };
    InstanceStatus {
        availability_zone: Some(instance::zone(it)),
        instance_id: Some(it.id.to_string()),
        instance_state: Some(instance::state(it.phase)),
        instance_status: Some(summary(word, reachability)),
        system_status: Some(system),
    }
}

fn values(it: &Instance, (word, reachability): (&str, &str), name: &str) -> Values {
    let system = if word == "impaired" { ("ok", "passed") } else { (word, reachability) };
    match name {
        "availability-zone" => filter::one(instance::zone(it)),
        "instance-state-name" => filter::one(instance::state_name(it.phase)),
        "instance-state-code" => filter::one(instance::state_code(it.phase)),
        "instance-status.status" => filter::one(word),
        "instance-status.reachability" => filter::one(reachability),
        "system-status.status" => filter::one(system.0),
        "system-status.reachability" => filter::one(system.1),
        _ => None,
    }
}
