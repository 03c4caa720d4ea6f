//! Queue attributes: SQS's names and texts on one side, the engine's settings on the other.

use std::fmt::Display;
use std::time::Duration;

use tidemill_api::sqs::QueueAttributeName;
use tidemill_base::{ByteSize, QueueName};
use tidemill_queue::{Description, SettingName, Settings, SettingsChange};
use tidemill_wire::{Fault, Map};

use super::fault;

/// Attributes as they stand on the wire.
pub(super) type Attributes = Map<QueueAttributeName, String>;

const DELAY: &str = "DelaySeconds";
const MAX_SIZE: &str = "MaximumMessageSize";
const RETENTION: &str = "MessageRetentionPeriod";
const RECEIVE_WAIT: &str = "ReceiveMessageWaitTimeSeconds";
const VISIBILITY: &str = "VisibilityTimeout";
const SQS_SSE: &str = "SqsManagedSseEnabled";
const KMS_KEY: &str = "KmsMasterKeyId";
const KMS_REUSE: &str = "KmsDataKeyReusePeriodSeconds";

/// The KMS reuse period of a queue that has a key and names none, in seconds.
const USUAL_KMS_REUSE: &str = "300";

/// What we lack: attributes that AWS has and that would change what a queue does.
const LACKING: [&str; 3] = ["Policy", "RedrivePolicy", "RedriveAllowPolicy"];
/// Attributes that only a FIFO queue has.
const FIFO: [&str; 4] =
    ["FifoQueue", "ContentBasedDeduplication", "DeduplicationScope", "FifoThroughputLimit"];

/// Reads the attributes that a caller gave.
pub(super) fn read(given: &Attributes) -> Result<SettingsChange, Fault> {
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
            SQS_SSE | KMS_KEY | KMS_REUSE => {}
            // Given empty it is taken away: from a queue that cannot have it, nothing.
            name if LACKING.contains(&name) && value.is_empty() => {}
            name if LACKING.contains(&name) => {
                return Err(fault::unsupported(&format!("the queue attribute {name}")));
            }
            name => return Err(fault::unknown_attribute(name)),
        }
    }
    read_encryption(given, &mut change)?;
    Ok(change)
}

/// Encryption is accepted and reported, as clients and templates ask for it by habit; what lies
/// on the disk is as safe as the disk.
fn read_encryption(given: &Attributes, change: &mut SettingsChange) -> Result<(), Fault> {
    let get = |wanted: &str| given.iter().find(|(name, _)| name.as_ref() == wanted);
    let mut keep = |name: &str, value: Option<&str>| {
        change.extras.insert(name.to_owned(), value.map(str::to_owned));
    };
    let sqs = match get(SQS_SSE).map(|(_, value)| value.to_ascii_lowercase()) {
        None => None,
        Some(value) => Some(value.parse::<bool>().map_err(|_| fault::invalid_attribute(SQS_SSE))?),
    };
    let key = get(KMS_KEY).map(|(_, value)| value.as_str());
    if sqs == Some(true) && key.is_some_and(|key| !key.is_empty()) {
        return Err(fault::two_encryptions());
    }
    match key {
        Some("") => {
            keep(KMS_KEY, None);
            keep(KMS_REUSE, None);
        }
        Some(key) => {
            keep(KMS_KEY, Some(key));
            keep(KMS_REUSE, Some(USUAL_KMS_REUSE));
            keep(SQS_SSE, Some("false"));
        }
        None => {}
    }
    if let Some((_, period)) = get(KMS_REUSE) {
        number(KMS_REUSE, period, 60, 86_400)?;
        if key != Some("") {
            keep(KMS_REUSE, Some(period));
        }
    }
    match sqs {
        Some(true) => {
            keep(SQS_SSE, Some("true"));
            keep(KMS_KEY, None);
            keep(KMS_REUSE, None);
        }
        Some(false) => keep(SQS_SSE, Some("false")),
        None => {}
    }
    Ok(())
}

/// FIFO queues are not there yet: asking for one is refused by name, not half obeyed.
pub(super) fn refuse_fifo(name: &QueueName, given: &Attributes) -> Result<(), Fault> {
    if name.is_fifo() {
        return Err(fault::unsupported("FIFO queues"));
    }
    match given.keys().find(|name| FIFO.contains(&name.as_ref())) {
        None => Ok(()),
        Some(name) => match name.as_ref() {
            scope @ ("DeduplicationScope" | "FifoThroughputLimit") => {
                Err(fault::only_when_fifo(scope))
            }
            name => Err(fault::unknown_attribute(name)),
        },
    }
}

fn number(name: &str, text: &str, least: u64, most: u64) -> Result<u64, Fault> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let number = text.parse().ok().filter(|number| digits && (least..=most).contains(number));
    number.ok_or_else(|| fault::invalid_attribute(name))
}

/// SQS's name of a setting.
pub(super) fn name_of(setting: &SettingName) -> &str {
    match setting {
        SettingName::Discipline => "FifoQueue",
        SettingName::ContentDeduplication => "ContentBasedDeduplication",
        SettingName::DeduplicationScope => "DeduplicationScope",
        SettingName::ThroughputScope => "FifoThroughputLimit",
        SettingName::Delay => DELAY,
        SettingName::MaxSize => MAX_SIZE,
        SettingName::Retention => RETENTION,
        SettingName::ReceiveWait => RECEIVE_WAIT,
        SettingName::Visibility => VISIBILITY,
        SettingName::Policy => "Policy",
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
    for name in wanted {
        if name == "All" {
            return Ok(all.clone().map(|(name, value)| (name.to_owned().into(), value)).collect());
        }
        let known = [LACKING.as_slice(), &FIFO, &[KMS_KEY, KMS_REUSE]].concat();
        match all.clone().find(|(known, _)| *known == name) {
            Some((name, value)) => {
                shown.insert(name.to_owned().into(), value);
            }
            None if known.contains(&name) => {}
            None => return Err(fault::unknown_attribute(name)),
        }
    }
    Ok(shown)
}

fn all_of(queue: &Description) -> impl Iterator<Item = (&'static str, String)> + Clone {
    let Settings { delay, max_size, retention, receive_wait, visibility, .. } = &*queue.settings;
    let text = |value: &dyn Display| value.to_string();
    let extra = |name: &str| queue.settings.extras.get(name).cloned();
    let arn = format!("arn:aws:sqs:{}:{}:{}", queue.key.region, queue.key.account, queue.key.name);
    let mut all = vec![
        ("QueueArn", arn),
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
        (SQS_SSE, extra(SQS_SSE).unwrap_or_else(|| "true".to_owned())),
    ];
    for name in [KMS_KEY, KMS_REUSE] {
        all.extend(extra(name).map(|value| (name, value)));
    }
    all.into_iter()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(pairs: &[(&str, &str)]) -> Attributes {
        pairs.iter().map(|(name, value)| ((*name).to_owned().into(), (*value).to_owned())).collect()
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
    fn what_we_lack_is_refused_by_its_name_but_may_be_taken_away() {
        assert!(read(&given(&[("RedrivePolicy", ""), ("Policy", "")])).is_ok());
        let fault = read(&given(&[("RedrivePolicy", "{}")])).unwrap_err();
        assert!(fault.message.contains("RedrivePolicy"), "{}", fault.message);
        let fault = read(&given(&[("Foobar", "1")])).unwrap_err();
        assert_eq!(fault.message, "Unknown Attribute Foobar.");
    }

    #[test]
    fn a_kms_key_takes_the_place_of_the_queues_own_encryption() {
        let change = read(&given(&[("KmsMasterKeyId", "alias/x")])).unwrap();
        let extras: Vec<_> = change.extras.iter().collect();
        assert_eq!(extras.len(), 3, "{extras:?}");
        assert_eq!(change.extras["SqsManagedSseEnabled"].as_deref(), Some("false"));
        assert_eq!(change.extras["KmsDataKeyReusePeriodSeconds"].as_deref(), Some("300"));
        let both = given(&[("KmsMasterKeyId", "alias/x"), ("SqsManagedSseEnabled", "true")]);
        assert!(read(&both).is_err());
    }
}
