//! Queue attributes: SQS's names and texts on one side, the engine's settings on the other.

use std::fmt::Display;
use std::sync::Arc;
use std::time::Duration;

use tidemill_api::sqs::QueueAttributeName;
use tidemill_base::ByteSize;
use tidemill_queue::{Description, QueueKey, SettingName, Settings, SettingsChange};
use tidemill_wire::{Fault, Map};

use super::encryption::{self, KMS_KEY, KMS_REUSE, SQS_SSE};
use super::queue_arn::QueueArn;
use super::{Sqs, fault, fifo, policy, redrive};

/// Attributes as they stand on the wire.
pub(super) type Attributes = Map<QueueAttributeName, String>;

pub(super) const POLICY: &str = "Policy";
const DELAY: &str = "DelaySeconds";
const MAX_SIZE: &str = "MaximumMessageSize";
const RETENTION: &str = "MessageRetentionPeriod";
const RECEIVE_WAIT: &str = "ReceiveMessageWaitTimeSeconds";
const VISIBILITY: &str = "VisibilityTimeout";

/// What a queue may have or not.
const OPTIONAL: [&str; 5] = [KMS_KEY, KMS_REUSE, POLICY, redrive::POLICY, redrive::ALLOW_POLICY];

/// Reads the attributes that the queue `key` is to be made with.
pub(super) fn of_new(
    sqs: &Sqs,
    key: &QueueKey,
    given: &Attributes,
) -> Result<SettingsChange, Fault> {
    let mut change = read(given)?;
    fifo::read_new(&key.name, given, &mut change)?;
    redrive::read(sqs, key, given, &mut change)?;
    Ok(change)
}

/// Reads the attributes that the queue `key`, which has `settings`, is to have from now on.
pub(super) fn of_existing(
    sqs: &Sqs,
    key: &QueueKey,
    settings: &Settings,
    given: &Attributes,
) -> Result<SettingsChange, Fault> {
    let mut change = read(given)?;
    fifo::read_existing(settings, given, &mut change)?;
    redrive::read(sqs, key, given, &mut change)?;
    Ok(change)
}

/// Reads what means the same for any queue.
fn read(given: &Attributes) -> Result<SettingsChange, Fault> {
    let mut change = SettingsChange::default();
    for (name, value) in given {
        let name = name.as_ref();
        let seconds = |least, most| number(name, value, least, most).map(Duration::from_secs);
        match name {
            DELAY => change.delay = Some(seconds(0, 900)?),
            MAX_SIZE => {
                change.max_size = Some(ByteSize::bytes(number(name, value, 1024, 1 << 20)?));
            }
            RETENTION => change.retention = Some(seconds(60, 1_209_600)?),
            RECEIVE_WAIT => change.receive_wait = Some(seconds(0, 20)?),
            VISIBILITY => change.visibility = Some(seconds(0, 43_200)?),
            POLICY => change.policy = Some(read_policy(value)?),
            SQS_SSE | KMS_KEY | KMS_REUSE | redrive::POLICY | redrive::ALLOW_POLICY => {}
            name if fifo::NAMES.contains(&name) => {}
            name => return Err(fault::unknown_attribute(name)),
        }
    }
    encryption::read(given, &mut change)?;
    Ok(change)
}

/// An empty one takes away the one that is there.
fn read_policy(text: &str) -> Result<Option<Arc<str>>, Fault> {
    if text.is_empty() {
        return Ok(None);
    }
    policy::check(text)?;
    Ok(Some(text.into()))
}

/// The value of one attribute, if it is given.
pub(super) fn find<'a>(given: &'a Attributes, wanted: &str) -> Option<&'a str> {
    given.iter().find(|(name, _)| name.as_ref() == wanted).map(|(_, value)| value.as_str())
}

pub(super) fn number(name: &str, text: &str, least: u64, most: u64) -> Result<u64, Fault> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let number = text.parse().ok().filter(|number| digits && (least..=most).contains(number));
    number.ok_or_else(|| fault::invalid_attribute(name))
}

pub(super) fn boolean(name: &str, text: &str) -> Result<bool, Fault> {
    text.to_ascii_lowercase().parse().map_err(|_| fault::invalid_attribute(name))
}

/// SQS's name of a setting.
pub(super) fn name_of(setting: &SettingName) -> &str {
    match setting {
        SettingName::Discipline => fifo::QUEUE,
        SettingName::ContentDeduplication => fifo::CONTENT_DEDUPLICATION,
        SettingName::DeduplicationScope => fifo::DEDUPLICATION_SCOPE,
        SettingName::ThroughputScope => fifo::THROUGHPUT_LIMIT,
        SettingName::Redrive => redrive::POLICY,
        SettingName::RedriveAllow => redrive::ALLOW_POLICY,
        SettingName::Delay => DELAY,
        SettingName::MaxSize => MAX_SIZE,
        SettingName::Retention => RETENTION,
        SettingName::ReceiveWait => RECEIVE_WAIT,
        SettingName::Visibility => VISIBILITY,
        SettingName::Policy => POLICY,
        SettingName::Extra(name) => name,
    }
}

/// The attributes of a queue that a caller wants to see: those named, or all.
pub(super) fn show<'a>(
    queue: &Description,
    wanted: impl Iterator<Item = &'a str>,
) -> Result<Attributes, Fault> {
    let all = all_of(queue);
    let mut shown = Attributes::default();
    let mut everything = false;
    for name in wanted {
        match all.iter().find(|(known, _)| *known == name) {
            Some((name, value)) => {
                shown.insert((*name).into(), value.clone());
            }
            None if name == "All" => everything = true,
            None if is_optional(name) => {}
            None => return Err(fault::unknown_attribute(name)),
        }
    }
    if everything {
        return Ok(all.into_iter().map(|(name, value)| (name.into(), value)).collect());
    }
    Ok(shown)
}

fn is_optional(name: &str) -> bool {
    OPTIONAL.contains(&name) || fifo::NAMES.contains(&name)
}

fn all_of(queue: &Description) -> Vec<(&'static str, String)> {
    let settings = &*queue.settings;
    let Settings { delay, max_size, retention, receive_wait, visibility, .. } = settings;
    let text = |value: &dyn Display| value.to_string();
    let mut all = vec![
        ("QueueArn", text(&QueueArn(&queue.key))),
        ("ApproximateNumberOfMessages", text(&queue.counts.visible)),
        ("ApproximateNumberOfMessagesNotVisible", text(&queue.counts.in_flight)),
        ("ApproximateNumberOfMessagesDelayed", text(&queue.counts.delayed)),
        ("CreatedTimestamp", text(&queue.created.as_secs())),
        ("LastModifiedTimestamp", text(&queue.modified.as_secs())),
        (VISIBILITY, text(&visibility.as_secs())),
        (MAX_SIZE, text(&max_size.as_u64())),
        (RETENTION, text(&retention.as_secs())),
        (DELAY, text(&delay.as_secs())),
        (RECEIVE_WAIT, text(&receive_wait.as_secs())),
    ];
    all.extend(settings.policy.as_deref().map(|policy| (POLICY, policy.to_owned())));
    all.extend(encryption::show(settings));
    all.extend(fifo::show(settings));
    all.extend(redrive::show(settings));
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(pairs: &[(&str, &str)]) -> Attributes {
        pairs.iter().map(|(name, value)| ((*name).into(), (*value).to_owned())).collect()
    }

    #[test]
    fn a_number_is_digits_within_its_range() {
        let change = read(&given(&[("DelaySeconds", "900")])).unwrap();
        assert_eq!(change.delay, Some(Duration::from_mins(15)));
        for bad in ["901", "-1", "+5", " 6", "", "5.0", "true", "99999999999999999999"] {
            let fault = read(&given(&[("DelaySeconds", bad)])).unwrap_err();
            assert_eq!(fault.message, "Invalid value for the parameter DelaySeconds.", "{bad:?}");
        }
    }

    #[test]
    fn a_policy_is_set_and_taken_away() {
        let policy = r#"{"Statement":{"Effect":"Allow","Principal":"*","Action":"sqs:*"}}"#;
        let change = read(&given(&[("Policy", policy)])).unwrap();
        assert_eq!(change.policy, Some(Some(policy.into())));
        assert_eq!(read(&given(&[("Policy", "")])).unwrap().policy, Some(None));
        assert!(read(&given(&[("Policy", "{}")])).is_err());
    }

    #[test]
    fn what_is_no_attribute_is_refused_by_its_name() {
        let fault = read(&given(&[("Foobar", "1")])).unwrap_err();
        assert_eq!(fault.message, "Unknown Attribute Foobar.");
    }
}
