//! RedrivePolicy and RedriveAllowPolicy: where a queue's dead letters go, and whose a queue takes.
//! JSON on the wire, settings behind it; they come back as AWS writes them.

use serde_json::{Map, Value, json};
use tidemill_queue::{QueueKey, Redrive, RedriveAllow, Settings, SettingsChange};
use tidemill_wire::Fault;

use super::attributes::{self, Attributes};
use super::queue_arn::{self, BadQueueArn, QueueArn};
use super::{Sqs, fault};

pub(super) const POLICY: &str = "RedrivePolicy";
pub(super) const ALLOW_POLICY: &str = "RedriveAllowPolicy";

const TARGET: &str = "deadLetterTargetArn";
const COUNT: &str = "maxReceiveCount";
const PERMISSION: &str = "redrivePermission";
const SOURCES: &str = "sourceQueueArns";

/// The most receives after which a message is a dead letter.
const MOST_RECEIVES: u32 = 1000;
/// The most sources that a policy can list.
const MOST_SOURCES: usize = 10;

/// Reads both policies for the queue `source`. An empty one takes away the one that is there.
pub(super) fn read(
    sqs: &Sqs,
    source: &QueueKey,
    given: &Attributes,
    change: &mut SettingsChange,
) -> Result<(), Fault> {
    if let Some(text) = attributes::find(given, POLICY) {
        let redrive = (!text.is_empty()).then(|| read_policy(text, source)).transpose()?;
        if let Some(redrive) = &redrive {
            check_target(sqs, text, source, &redrive.target)?;
        }
        change.redrive = Some(redrive);
    }
    if let Some(text) = attributes::find(given, ALLOW_POLICY) {
        let allow = (!text.is_empty()).then(|| read_allow_policy(text)).transpose()?;
        change.redrive_allow = Some(allow);
    }
    Ok(())
}

fn read_policy(text: &str, source: &QueueKey) -> Result<Redrive, Fault> {
    let Ok(Value::Object(given)) = serde_json::from_str(text) else {
        let reason = "Redrive policy is not a valid JSON map.";
        return Err(fault::invalid_attribute_for(POLICY, reason));
    };
    let member = |name: &str| {
        given.get(name).ok_or_else(|| {
            bad(text, &format!("Redrive policy does not contain mandatory attribute: {name}."))
        })
    };
    let (count, target) = (member(COUNT)?, member(TARGET)?);
    if given.len() > 2 {
        let reason = format!("Only following attributes are supported: [{COUNT}, {TARGET}].");
        return Err(bad(text, &reason));
    }
    Ok(Redrive {
        max_receives: read_count(text, count)?,
        target: read_target(text, target, source)?,
    })
}

/// Reads a count: a number, or the same as text.
fn read_count(text: &str, count: &Value) -> Result<u32, Fault> {
    let number = match count {
        Value::Number(number) => number.as_u64(),
        Value::String(digits) => digits.parse().ok(),
        _ => None,
    };
    let number = number.and_then(|number| u32::try_from(number).ok());
    number.filter(|number| (1..=MOST_RECEIVES).contains(number)).ok_or_else(|| {
        let shown = count.as_str().map_or_else(|| count.to_string(), str::to_owned);
        bad(
            text,
            &format!(
                "Invalid value for {COUNT}: {shown}, valid values are from 1 to {MOST_RECEIVES} \
                 both inclusive."
            ),
        )
    })
}

/// Reads a target: a queue of the source's owner, in its region, and of its kind.
fn read_target(text: &str, target: &Value, source: &QueueKey) -> Result<QueueKey, Fault> {
    let read = queue_arn::read(target.as_str().unwrap_or_default());
    let target = read.map_err(|error| match error {
        BadQueueArn::Malformed => bad(text, &format!("Invalid value for {TARGET}.")),
        BadQueueArn::OtherService => {
            bad(text, &format!("Only SQS queues are valid resources for {TARGET}."))
        }
    })?;
    let reason = if target.region != source.region {
        "Dead-letter target must be in same region as the source."
    } else if target.account != source.account {
        "Dead-letter target owner should be same as the source."
    } else if target.name.is_fifo() != source.name.is_fifo() {
        "Dead-letter queue must be same type of queue as the source.."
    } else {
        return Ok(target);
    };
    Err(bad(text, reason))
}

/// Looks whether a target is there and takes what comes from `source`.
fn check_target(sqs: &Sqs, text: &str, source: &QueueKey, target: &QueueKey) -> Result<(), Fault> {
    let Some(id) = sqs.engine.find(target) else {
        return Err(bad(text, "Dead letter target does not exist."));
    };
    let takes = match &sqs.settings(id)?.redrive_allow {
        None | Some(RedriveAllow::All) => true,
        Some(RedriveAllow::Nobody) => false,
        Some(RedriveAllow::Only(sources)) => sources.contains(source),
    };
    if takes {
        return Ok(());
    }
    let reason = "The dead-letter queue does not allow this queue to use it: see its \
                  RedriveAllowPolicy.";
    Err(bad(text, reason))
}

fn bad(text: &str, reason: &str) -> Fault {
    fault::invalid_value(text, POLICY, reason)
}

fn read_allow_policy(text: &str) -> Result<RedriveAllow, Fault> {
    let Ok(Value::Object(given)) = serde_json::from_str(text) else { return Err(unreadable()) };
    let known = |name: &String| name == PERMISSION || name == SOURCES;
    if !given.keys().all(known) {
        return Err(unreadable());
    }
    let sources = sources(&given)?;
    let cannot = |reason: &str| {
        let reason = format!("Amazon SQS can't create the redrive allow policy. {reason}");
        Err(fault::invalid_value(text, ALLOW_POLICY, reason))
    };
    let permission = given.get(PERMISSION).and_then(Value::as_str).unwrap_or_default();
    match (permission, sources) {
        ("allowAll", None) => Ok(RedriveAllow::All),
        ("denyAll", None) => Ok(RedriveAllow::Nobody),
        ("allowAll" | "denyAll", Some(_)) => cannot(
            "To specify one or more source queue ARNs, you must set redrivePermission to byQueue.",
        ),
        ("byQueue", Some(sources)) if sources.len() > MOST_SOURCES => cannot(&format!(
            "The maximum number of source queue ARNs you can specify is {MOST_SOURCES}."
        )),
        ("byQueue", Some(sources)) if !sources.is_empty() => Ok(RedriveAllow::Only(sources)),
        ("byQueue", _) => cannot(
            "When you specify the byQueue permission type, you must also specify one or more \
             sourceQueueArns values.",
        ),
        _ => Err(unreadable()),
    }
}

/// The queues that a policy lists, if it lists any.
fn sources(given: &Map<String, Value>) -> Result<Option<Vec<QueueKey>>, Fault> {
    let Some(sources) = given.get(SOURCES) else { return Ok(None) };
    let read = |source: &Value| queue_arn::read(source.as_str()?).ok();
    let sources: Option<Vec<_>> = sources.as_array().and_then(|all| all.iter().map(read).collect());
    sources.map(Some).ok_or_else(unreadable)
}

fn unreadable() -> Fault {
    fault::invalid_attribute_for(
        ALLOW_POLICY,
        "Amazon SQS can't create the redrive allow policy, as it’s in an unsupported format.",
    )
}

/// The policies that a queue has. A count that was given as text comes back as a number.
pub(super) fn show(settings: &Settings) -> Vec<(&'static str, String)> {
    let mut shown = Vec::new();
    if let Some(Redrive { target, max_receives }) = &settings.redrive {
        let policy = json!({ TARGET: QueueArn(target).to_string(), COUNT: max_receives });
        shown.push((POLICY, policy.to_string()));
    }
    let allow = settings.redrive_allow.as_ref().map(|allow| match allow {
        RedriveAllow::All => json!({ PERMISSION: "allowAll" }),
        RedriveAllow::Nobody => json!({ PERMISSION: "denyAll" }),
        RedriveAllow::Only(sources) => {
            let sources: Vec<_> = sources.iter().map(|it| QueueArn(it).to_string()).collect();
            json!({ PERMISSION: "byQueue", SOURCES: sources })
        }
    });
    shown.extend(allow.map(|allow| (ALLOW_POLICY, allow.to_string())));
    shown
}

#[cfg(test)]
mod tests;
