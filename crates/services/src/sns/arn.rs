//! The ARNs of topics and of subscriptions, written and read.

use tidemill_notice::{SubscriptionId, TopicKey};
use tidemill_wire::Fault;

use super::fault;

/// A topic's ARN.
pub(super) fn of_topic(key: &TopicKey) -> String {
    let TopicKey { account, region, name } = key;
    format!("arn:aws:sns:{region}:{account}:{name}")
}

/// A subscription's ARN.
pub(super) fn of_subscription(key: &TopicKey, id: SubscriptionId) -> String {
    format!("{}:{id}", of_topic(key))
}

/// Reads a topic's ARN, given as `parameter`; its partition does not matter.
pub(super) fn topic(text: &str, parameter: &str) -> Result<TopicKey, Fault> {
    check_elements(text, parameter)?;
    read(text).ok_or_else(|| fault::invalid(parameter))
}

/// Reads a subscription's ARN. The id is none where it cannot be one.
pub(super) fn subscription(text: &str) -> Result<(TopicKey, Option<SubscriptionId>), Fault> {
    let parameter = "SubscriptionArn";
    check_elements(text, parameter)?;
    let (topic, id) = text.rsplit_once(':').ok_or_else(|| fault::invalid(parameter))?;
    let key = read(topic).ok_or_else(|| fault::invalid(parameter))?;
    Ok((key, id.parse().ok()))
}

fn check_elements(text: &str, parameter: &str) -> Result<(), Fault> {
    let elements = text.split(':').count();
    if elements >= 6 {
        return Ok(());
    }
    Err(fault::invalid(format!(
        "{parameter} Reason: An ARN must have at least 6 elements, not {elements}"
    )))
}

/// The topic of an ARN, if it is one's.
pub(super) fn read(text: &str) -> Option<TopicKey> {
    let parts: Vec<&str> = text.splitn(6, ':').collect();
    let ["arn", partition, "sns", region, account, name] = parts[..] else { return None };
    if partition.is_empty() {
        return None;
    }
    let (account, region) = (account.parse().ok()?, region.parse().ok()?);
    Some(TopicKey { account, region, name: name.parse().ok()? })
}

#[cfg(test)]
mod tests {
    use tidemill_base::Chance;

    use super::*;

    #[test]
    fn an_arn_reads_as_it_was_written() {
        let text = "arn:aws:sns:eu-west-1:123456789012:orders";
        let key = topic(text, "TopicArn").unwrap();
        assert_eq!(of_topic(&key), text);
        let id = SubscriptionId::random(&Chance::seeded(1));
        let of = of_subscription(&key, id);
        assert_eq!(subscription(&of).unwrap(), (key.clone(), Some(id)));
        assert_eq!(subscription(&format!("{text}:nobody")).unwrap(), (key, None));
    }

    #[test]
    fn what_is_no_arn_of_a_topic_says_why() {
        let told = |text: &str| topic(text, "TopicArn").unwrap_err().message.to_string();
        let elements = "Invalid parameter: TopicArn Reason: An ARN must have at least 6 elements";
        assert_eq!(told(""), format!("{elements}, not 1"));
        assert_eq!(told("a:b"), format!("{elements}, not 2"));
        for text in [
            "arn:aws:sqs:us-east-1:123456789012:q",
            "arn:aws:sns:us-east-1:1:t",
            "arn:aws:sns:us-east-1:123456789012:a b",
            "arn::sns:us-east-1:123456789012:t",
        ] {
            assert_eq!(told(text), "Invalid parameter: TopicArn", "{text}");
        }
    }
}
