//! Queue policies: JSON in the language of IAM, kept as the text that was given.
//!
//! Their form is checked, and permissions are statements in them. Nothing is granted by one yet:
//! a queue is its own account's alone, whatever its policy says.

use std::collections::HashSet;

use serde_json::{Map, Value, json};
use tidemill_base::AccountId;
use tidemill_queue::QueueKey;
use tidemill_wire::Fault;

use super::attributes::POLICY;
use super::fault;
use super::queue_arn::QueueArn;

/// Most statements of a policy.
const MOST_STATEMENTS: usize = 20;
const VERSIONS: [&str; 2] = ["2008-10-17", "2012-10-17"];

/// What AddPermission lets others do: everybody in some accounts, some actions.
pub(super) struct Permission {
    /// What it goes by, for RemovePermission.
    pub(super) label: String,
    /// To whom; at least one.
    pub(super) accounts: Vec<AccountId>,
    /// What; at least one.
    pub(super) actions: Vec<String>,
}

/// Checks the form of a policy that a caller gave.
pub(super) fn check(text: &str) -> Result<(), Fault> {
    let statements = Document::read(text).map(|document| document.statements.len());
    match statements {
        Some(1..=MOST_STATEMENTS) => Ok(()),
        Some(0) | None => Err(fault::invalid_attribute(POLICY)),
        Some(number) => Err(fault::over_limit(format!(
            "{number} statements were found in the submitted policy, max allowed is \
             {MOST_STATEMENTS}"
        ))),
    }
}

/// Whether a text has the form of a policy, of whatever service.
pub(crate) fn is_policy(text: &str) -> bool {
    Document::read(text).is_some_and(|document| !document.statements.is_empty())
}

/// A queue's policy with one more permission in it.
pub(super) fn grant(
    policy: Option<&str>,
    queue: &QueueKey,
    permission: &Permission,
) -> Result<String, Fault> {
    let arn = QueueArn(queue).to_string();
    let mut document = match policy {
        // What was checked when it was set reads again.
        Some(policy) => Document::read(policy).ok_or_else(|| fault::invalid_attribute(POLICY))?,
        None => Document::new(&arn),
    };
    let label = permission.label.as_str();
    let account = |account: &AccountId| format!("arn:aws:iam::{account}:root");
    let action = |action: &String| format!("SQS:{action}");
    let statement = json!({
        "Sid": label,
        "Effect": "Allow",
        "Principal": { "AWS": one_or_many(permission.accounts.iter().map(account)) },
        "Action": one_or_many(permission.actions.iter().map(action)),
        "Resource": arn,
    });
    match document.position(label).and_then(|at| document.statements.get(at)) {
        // What is granted already may be granted again.
        Some(there) if *there == statement => return Ok(document.write()),
        Some(_) => return Err(fault::invalid_value(label, "Label", "Already exists.")),
        None => document.statements.push(statement),
    }
    let number = document.statements.len();
    if number > MOST_STATEMENTS {
        return Err(fault::over_limit(format!(
            "{number} Statements were found, maximum allowed is {MOST_STATEMENTS}."
        )));
    }
    Ok(document.write())
}

/// A queue's policy without a permission; none if that was the last one.
pub(super) fn revoke(policy: Option<&str>, label: &str) -> Result<Option<String>, Fault> {
    let found = policy.and_then(Document::read).and_then(|mut document| {
        let at = document.position(label)?;
        document.statements.remove(at);
        Some(document)
    });
    match found {
        None => Err(fault::invalid_value(label, "Label", "can't find label.")),
        Some(document) if document.statements.is_empty() => Ok(None),
        Some(document) => Ok(Some(document.write())),
    }
}

/// A policy whose form is right, taken apart. A single statement may stand without a list.
struct Document {
    whole: Map<String, Value>,
    statements: Vec<Value>,
}

impl Document {
    fn new(arn: &str) -> Self {
        let mut whole = Map::new();
        whole.insert("Version".to_owned(), VERSIONS[0].into());
        whole.insert("Id".to_owned(), format!("{arn}/SQSDefaultPolicy").into());
        whole.insert("Statement".to_owned(), Value::Null);
        Self { whole, statements: Vec::new() }
    }

    fn read(text: &str) -> Option<Self> {
        let Ok(Value::Object(mut whole)) = serde_json::from_str(text) else { return None };
        let known = |name: &String| ["Version", "Id", "Statement"].contains(&name.as_str());
        let version = whole.get("Version").is_none_or(|version| {
            version.as_str().is_some_and(|version| VERSIONS.contains(&version))
        });
        let id = whole.get("Id").is_none_or(Value::is_string);
        // Its place among the members is kept, for the statements to come back to.
        let statements = match whole.get_mut("Statement").map(Value::take) {
            Some(Value::Array(statements)) => statements,
            Some(statement @ Value::Object(_)) => vec![statement],
            _ => return None,
        };
        let document = Self { whole, statements };
        let right = document.whole.keys().all(known) && version && id;
        (right && document.statements.iter().all(is_statement) && document.has_distinct_labels())
            .then_some(document)
    }

    fn has_distinct_labels(&self) -> bool {
        let mut labels = self.statements.iter().filter_map(|it| it.get("Sid")?.as_str());
        let mut seen = HashSet::new();
        labels.all(|label| seen.insert(label))
    }

    fn position(&self, label: &str) -> Option<usize> {
        self.statements.iter().position(|it| it.get("Sid").and_then(Value::as_str) == Some(label))
    }

    fn write(mut self) -> String {
        self.whole.insert("Statement".to_owned(), Value::Array(self.statements));
        Value::Object(self.whole).to_string()
    }
}

fn is_statement(statement: &Value) -> bool {
    let Some(members) = statement.as_object() else { return false };
    let known = members.iter().all(|(name, value)| match name.as_str() {
        "Sid" => value.is_string(),
        "Effect" => value == "Allow" || value == "Deny",
        "Principal" | "NotPrincipal" => value == "*" || value.is_object(),
        "Action" | "NotAction" | "Resource" | "NotResource" => is_text_or_texts(value),
        "Condition" => value.is_object(),
        _ => false,
    });
    let either = |one: &str, other: &str| members.contains_key(one) ^ members.contains_key(other);
    known
        && members.contains_key("Effect")
        && either("Principal", "NotPrincipal")
        && either("Action", "NotAction")
}

fn is_text_or_texts(value: &Value) -> bool {
    value.is_string()
        || value.as_array().is_some_and(|all| !all.is_empty() && all.iter().all(Value::is_string))
}

/// A list of one is not written as a list.
fn one_or_many(mut texts: impl ExactSizeIterator<Item = String>) -> Value {
    if texts.len() == 1 { texts.next().into() } else { texts.collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queue() -> QueueKey {
        QueueKey {
            account: "123456789012".parse().unwrap(),
            region: "eu-west-1".parse().unwrap(),
            name: "orders".parse().unwrap(),
        }
    }

    fn permission(label: &str, accounts: &[&str], actions: &[&str]) -> Permission {
        Permission {
            label: label.into(),
            accounts: accounts.iter().map(|account| account.parse().unwrap()).collect(),
            actions: actions.iter().map(|&action| action.into()).collect(),
        }
    }

    #[test]
    fn a_first_permission_makes_the_policy_that_aws_makes() {
        let one = permission("read", &["000000000001"], &["ReceiveMessage"]);
        let policy = grant(None, &queue(), &one).unwrap();
        assert_eq!(
            policy,
            r#"{"Version":"2008-10-17","#.to_owned()
                + r#""Id":"arn:aws:sqs:eu-west-1:123456789012:orders/SQSDefaultPolicy","#
                + r#""Statement":[{"Sid":"read","Effect":"Allow","#
                + r#""Principal":{"AWS":"arn:aws:iam::000000000001:root"},"#
                + r#""Action":"SQS:ReceiveMessage","#
                + r#""Resource":"arn:aws:sqs:eu-west-1:123456789012:orders"}]}"#
        );
        assert!(check(&policy).is_ok());
        assert_eq!(revoke(Some(&policy), "read").unwrap(), None);
    }

    #[test]
    fn several_accounts_and_actions_are_lists() {
        let all = permission("all", &["000000000001", "000000000002"], &["SendMessage", "*"]);
        let policy = grant(None, &queue(), &all).unwrap();
        let policy: Value = serde_json::from_str(&policy).unwrap();
        let statement = &policy["Statement"][0];
        assert_eq!(statement["Action"], json!(["SQS:SendMessage", "SQS:*"]));
        assert_eq!(statement["Principal"]["AWS"].as_array().unwrap().len(), 2);
    }

    #[test]
    fn a_label_is_used_once_and_found_again() {
        let one = permission("one", &["000000000001"], &["*"]);
        let two = permission("two", &["000000000001"], &["*"]);
        let policy = grant(None, &queue(), &one).unwrap();
        assert_eq!(grant(Some(&policy), &queue(), &one).unwrap(), policy);
        let other = permission("one", &["000000000002"], &["*"]);
        let twice = grant(Some(&policy), &queue(), &other).unwrap_err();
        assert!(twice.message.ends_with("Reason: Already exists."), "{}", twice.message);
        let both = grant(Some(&policy), &queue(), &two).unwrap();
        let left = revoke(Some(&both), "one").unwrap().unwrap();
        assert!(left.contains("two") && !left.contains("one"), "{left}");
        let missing = revoke(Some(&left), "one").unwrap_err();
        assert!(missing.message.ends_with("Reason: can't find label."), "{}", missing.message);
        assert!(revoke(None, "one").is_err());
    }

    #[test]
    fn a_permission_joins_the_statements_of_a_policy_that_was_set() {
        let set = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":"*","#
            .to_owned()
            + r#""Action":"sqs:*"},"Id":"x"}"#;
        let policy = grant(Some(&set), &queue(), &permission("a", &["000000000001"], &["*"]));
        let policy = policy.unwrap();
        let beginning = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow""#;
        assert!(policy.starts_with(beginning) && policy.ends_with(r#"],"Id":"x"}"#), "{policy}");
    }

    #[test]
    fn a_policy_has_at_most_twenty_statements() {
        let mut policy = None;
        for number in 0..20 {
            let one = permission(&format!("label-{number}"), &["000000000001"], &["*"]);
            policy = Some(grant(policy.as_deref(), &queue(), &one).unwrap());
        }
        let one_more = permission("more", &["000000000001"], &["*"]);
        let fault = grant(policy.as_deref(), &queue(), &one_more).unwrap_err();
        assert_eq!(fault.message, "21 Statements were found, maximum allowed is 20.");
    }

    #[test]
    fn what_has_not_the_form_of_a_policy_is_refused() {
        let statement = r#""Effect":"Allow","Principal":"*","Action":"sqs:SendMessage""#;
        let good = [
            format!(r#"{{"Statement":{{{statement}}}}}"#),
            format!(r#"{{"Version":"2012-10-17","Id":"a","Statement":[{{{statement}}}]}}"#),
        ];
        for policy in good {
            assert!(check(&policy).is_ok(), "{policy}");
        }
        let bad = [
            "badjson".to_owned(),
            "[]".to_owned(),
            "null".to_owned(),
            "{}".to_owned(),
            r#"{"Statement":[]}"#.to_owned(),
            format!(r#"{{"Statement":[{{{statement}}}],"More":1}}"#),
            format!(r#"{{"Version":"1","Statement":[{{{statement}}}]}}"#),
            format!(r#"{{"Statement":[{{{statement},"More":1}}]}}"#),
            format!(r#"{{"Statement":[{{{statement},"NotAction":"sqs:*"}}]}}"#),
            format!(r#"{{"Statement":[{{{statement},"Sid":"a"}},{{{statement},"Sid":"a"}}]}}"#),
            r#"{"Statement":{"Effect":"Maybe","Principal":"*","Action":"*"}}"#.to_owned(),
        ];
        for policy in bad {
            let fault = check(&policy).unwrap_err();
            assert_eq!(fault.message, "Invalid value for the parameter Policy.", "{policy}");
        }
    }
}
