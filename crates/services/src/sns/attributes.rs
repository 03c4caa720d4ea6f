//! What topics and subscriptions may be set to, by name. What Tidemill lacks is refused by its
//! name.

use tidemill_wire::{Fault, Map};

use super::fault;
use crate::sqs;

pub(super) const DISPLAY_NAME: &str = "DisplayName";
pub(super) const POLICY: &str = "Policy";
pub(super) const RAW: &str = "RawMessageDelivery";

/// Most characters of a display name.
const LONGEST_NAME: usize = 100;
/// Most bytes of a policy.
const LONGEST_POLICY: usize = 30_720;

/// What topics of AWS may be set to, and ours may not.
const NOT_OF_TOPICS: [&str; 27] = [
    "ApplicationFailureFeedbackRoleArn",
    "ApplicationSuccessFeedbackRoleArn",
    "ApplicationSuccessFeedbackSampleRate",
    "ArchivePolicy",
    "BeginningArchiveTime",
    "ContentBasedDeduplication",
    "DataProtectionPolicy",
    "DeliveryPolicy",
    "FifoThroughputScope",
    "FifoTopic",
    "FirehoseFailureFeedbackRoleArn",
    "FirehoseSuccessFeedbackRoleArn",
    "FirehoseSuccessFeedbackSampleRate",
    "HTTPFailureFeedbackRoleArn",
    "HTTPSuccessFeedbackRoleArn",
    "HTTPSuccessFeedbackSampleRate",
    "KmsMasterKeyId",
    "LambdaFailureFeedbackRoleArn",
    "LambdaSuccessFeedbackRoleArn",
    "LambdaSuccessFeedbackSampleRate",
    "MaximumMessageSize",
    "SQSFailureFeedbackRoleArn",
    "SQSSuccessFeedbackRoleArn",
    "SQSSuccessFeedbackSampleRate",
    "SignatureVersion",
    "SubscriptionDeliveryPolicy",
    "TracingConfig",
];

/// The same of subscriptions.
const NOT_OF_SUBSCRIPTIONS: [&str; 6] = [
    "DeliveryPolicy",
    "FilterPolicy",
    "FilterPolicyScope",
    "RedrivePolicy",
    "ReplayPolicy",
    "SubscriptionRoleArn",
];

/// Something that a topic is set to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Setting {
    DisplayName(String),
    /// None is the usual one.
    Policy(Option<String>),
}

/// Reads one attribute of a topic.
pub(super) fn of_topic(name: &str, value: Option<String>) -> Result<Setting, Fault> {
    let value = value.unwrap_or_default();
    match name {
        DISPLAY_NAME => {
            let plain = value.chars().all(|it| !it.is_control()) && sqs::is_text(value.as_bytes());
            if value.chars().count() > LONGEST_NAME || !plain {
                return Err(fault::invalid(DISPLAY_NAME));
            }
            Ok(Setting::DisplayName(value))
        }
        POLICY if value.is_empty() => Ok(Setting::Policy(None)),
        POLICY if value.len() > LONGEST_POLICY => {
            Err(fault::invalid("Policy Error: the policy is too long"))
        }
        POLICY if sqs::is_policy(&value) => Ok(Setting::Policy(Some(value))),
        POLICY => Err(fault::invalid("Policy Error: null")),
        _ if NOT_OF_TOPICS.contains(&name) => Err(lacking(name)),
        _ => Err(fault::invalid("AttributeName")),
    }
}

/// Reads the attributes of a new topic.
pub(super) fn of_new_topic(given: Map<String, String>) -> Result<Vec<Setting>, Fault> {
    let mut settings = Vec::new();
    for (name, value) in given {
        // That is what ours are.
        if (name.as_str(), value.as_str()) != ("FifoTopic", "false") {
            settings.push(of_topic(&name, Some(value))?);
        }
    }
    Ok(settings)
}

/// Reads RawMessageDelivery, the one attribute that a subscription has here.
pub(super) fn of_subscription(name: &str, value: &str) -> Result<bool, Fault> {
    match (name, value) {
        (RAW, _) if value.eq_ignore_ascii_case("true") => Ok(true),
        (RAW, _) if value.eq_ignore_ascii_case("false") => Ok(false),
        (RAW, _) => {
            Err(fault::invalid(format!("{RAW}: Invalid value [{value}]. Must be true or false.")))
        }
        _ if NOT_OF_SUBSCRIPTIONS.contains(&name) => Err(lacking(name)),
        _ => Err(fault::invalid("AttributeName")),
    }
}

fn lacking(name: &str) -> Fault {
    fault::invalid(format!("{name} Reason: {name} is not supported by Tidemill"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told<T: std::fmt::Debug>(done: Result<T, Fault>) -> String {
        done.unwrap_err().message.into_owned()
    }

    #[test]
    fn a_subscription_is_raw_or_not() {
        assert_eq!(of_subscription(RAW, "TRUE"), Ok(true));
        assert_eq!(of_subscription(RAW, "false"), Ok(false));
        let wrong = "Invalid parameter: RawMessageDelivery: Invalid value [x]. Must be true or \
                     false.";
        assert_eq!(told(of_subscription(RAW, "x")), wrong);
        assert_eq!(told(of_subscription("x", "true")), "Invalid parameter: AttributeName");
        assert!(told(of_subscription("FilterPolicy", "{}")).contains("not supported by Tidemill"));
    }

    #[test]
    fn a_topic_has_a_name_and_a_policy_that_can_be_ones() {
        let name = |text: &str| of_topic(DISPLAY_NAME, Some(text.to_owned()));
        assert_eq!(name("Orders"), Ok(Setting::DisplayName("Orders".into())));
        assert!(name(&"n".repeat(101)).is_err() && name("a\nb").is_err());
        let policy = |text: &str| of_topic(POLICY, Some(text.to_owned()));
        assert_eq!(policy(""), Ok(Setting::Policy(None)));
        assert!(policy("{}").is_err() && policy("x").is_err());
        assert!(told(of_topic("KmsMasterKeyId", None)).contains("not supported by Tidemill"));
        assert_eq!(told(of_topic("x", None)), "Invalid parameter: AttributeName");
    }
}
