//! What may be said of dead letters, and in which words the rest is refused.

use super::*;

const HERE: &str = "arn:aws:sqs:us-east-1:000000000000";

fn key(name: &str) -> QueueKey {
    queue_arn::read(&format!("{HERE}:{name}")).unwrap()
}

fn refusal(text: &str) -> String {
    read_policy(text, &key("source")).unwrap_err().message.to_string()
}

#[test]
fn a_policy_comes_back_with_its_count_as_a_number() {
    for count in ["7", "\"7\""] {
        let text =
            format!(r#"{{"maxReceiveCount": {count}, "deadLetterTargetArn":"{HERE}:dead"}}"#);
        let redrive = read_policy(&text, &key("source")).unwrap();
        let settings = Settings { redrive: Some(redrive), ..Settings::default() };
        let written = format!(r#"{{"deadLetterTargetArn":"{HERE}:dead","maxReceiveCount":7}}"#);
        assert_eq!(show(&settings), [(POLICY, written)]);
    }
}

#[test]
fn what_is_no_policy_is_refused_with_its_reason() {
    for text in [" ", "4", "[]", "\"text\""] {
        let told = refusal(text);
        let reason = "Redrive policy is not a valid JSON map.";
        assert_eq!(
            told,
            format!("Invalid value for the parameter RedrivePolicy. Reason: {reason}")
        );
    }
    let lacks = "Redrive policy does not contain mandatory attribute:";
    let limits = "valid values are from 1 to 1000 both inclusive.";
    for (text, reason) in [
        ("{}".to_owned(), format!("{lacks} maxReceiveCount.")),
        (r#"{"maxReceiveCount":5}"#.to_owned(), format!("{lacks} deadLetterTargetArn.")),
        (
            format!(r#"{{"deadLetterTargetArn":"{HERE}:q","maxReceiveCount":-36}}"#),
            format!("Invalid value for maxReceiveCount: -36, {limits}"),
        ),
        (
            format!(r#"{{"deadLetterTargetArn":"{HERE}:q","maxReceiveCount":"many"}}"#),
            format!("Invalid value for maxReceiveCount: many, {limits}"),
        ),
        (
            format!(r#"{{"deadLetterTargetArn":"{HERE}:q","maxReceiveCount":1001}}"#),
            format!("Invalid value for maxReceiveCount: 1001, {limits}"),
        ),
        (
            r#"{"deadLetterTargetArn":"dummy","maxReceiveCount":5}"#.to_owned(),
            "Invalid value for deadLetterTargetArn.".to_owned(),
        ),
        (
            format!(r#"{{"deadLetterTargetArn":"{HERE}:q","maxReceiveCount":5,"more":1}}"#),
            "Only following attributes are supported: [maxReceiveCount, deadLetterTargetArn]."
                .to_owned(),
        ),
    ] {
        let told = format!("Value {text} for parameter RedrivePolicy is invalid. Reason: {reason}");
        assert_eq!(refusal(&text), told);
    }
}

#[test]
fn a_target_is_a_queue_of_the_same_owner_region_and_kind() {
    for (target, reason) in [
        ("arn:aws:sns:us-east-1:000000000000:q", "Only SQS queues are valid resources for"),
        ("arn:aws:sqs:eu-west-1:000000000000:q", "must be in same region"),
        ("arn:aws:sqs:us-east-1:000000000001:q", "owner should be same"),
        ("arn:aws:sqs:us-east-1:000000000000:q.fifo", "must be same type of queue"),
    ] {
        let told = refusal(&json!({ COUNT: 5, TARGET: target }).to_string());
        assert!(told.contains(reason), "{told}");
    }
}

#[test]
fn an_allow_policy_comes_back_as_it_was() {
    let only = format!(r#"{{"redrivePermission":"byQueue","sourceQueueArns":["{HERE}:a"]}}"#);
    let all = r#"{"redrivePermission":"allowAll"}"#;
    for text in [all, r#"{"redrivePermission":"denyAll"}"#, &only] {
        let allow = read_allow_policy(text).unwrap();
        let settings = Settings { redrive_allow: Some(allow), ..Settings::default() };
        assert_eq!(show(&settings), [(ALLOW_POLICY, text.to_owned())]);
    }
}

#[test]
fn what_is_no_allow_policy_is_refused_with_its_reason() {
    let sources = |number: usize| {
        let sources: Vec<_> = (0..number).map(|number| format!("{HERE}:q{number}")).collect();
        json!({ PERMISSION: "byQueue", SOURCES: sources }).to_string()
    };
    let told = |text: &str| read_allow_policy(text).unwrap_err().message.to_string();
    for text in [
        "badjson",
        "444",
        "[]",
        "{}",
        r#"{"redrivePermission":"dummy"}"#,
        r#"{"redrivePermission":"allowAll","dummy":"value"}"#,
        r#"{"redrivePermission":"byQueue","sourceQueueArns":"arn:aws:sqs"}"#,
        r#"{"redrivePermission":"byQueue","sourceQueueArns":[{"dummy":"value"}]}"#,
    ] {
        assert!(told(text).ends_with("as it’s in an unsupported format."), "{text}");
    }
    for text in [r#"{"redrivePermission":"byQueue"}"#, &sources(0)] {
        assert!(told(text).ends_with("specify one or more sourceQueueArns values."), "{text}");
    }
    assert!(read_allow_policy(&sources(10)).is_ok());
    assert!(told(&sources(11)).ends_with("number of source queue ARNs you can specify is 10."));
    let both = format!(r#"{{"redrivePermission":"denyAll","sourceQueueArns":["{HERE}:a"]}}"#);
    assert!(told(&both).ends_with("you must set redrivePermission to byQueue."), "{both}");
}
