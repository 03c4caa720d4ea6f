//! AddPermission.

use std::sync::Arc;

use tidemill_api::sqs::AddPermissionRequest;
use tidemill_base::AccountId;
use tidemill_queue::SettingsChange;
use tidemill_wire::Fault;

use crate::context::Context;

use super::policy::{self, Permission};
use super::{Sqs, fault};

/// Most actions of one permission.
const MOST_ACTIONS: usize = 7;
/// Most characters of a label.
const LONGEST_LABEL: usize = 80;

/// What an owner can let others do.
const GRANTABLE: [&str; 9] = [
    "*",
    "ChangeMessageVisibility",
    "DeleteMessage",
    "GetQueueAttributes",
    "GetQueueUrl",
    "ListDeadLetterSourceQueues",
    "PurgeQueue",
    "ReceiveMessage",
    "SendMessage",
];
/// What the owner alone can do.
const OWNERS: [&str; 12] = [
    "AddPermission",
    "CancelMessageMoveTask",
    "CreateQueue",
    "DeleteQueue",
    "ListMessageMoveTasks",
    "ListQueueTags",
    "ListQueues",
    "RemovePermission",
    "SetQueueAttributes",
    "StartMessageMoveTask",
    "TagQueue",
    "UntagQueue",
];

pub(super) async fn handle(
    sqs: &Sqs,
    cx: &Context<'_>,
    request: AddPermissionRequest,
) -> Result<(), Fault> {
    let (id, key) = sqs.queue(cx, &request.queue_url)?;
    let permission = permission(request)?;
    let _alone = sqs.editing.lock().await;
    let settings = sqs.settings(id)?;
    let policy = policy::grant(settings.policy.as_deref(), &key, &permission)?;
    let change = SettingsChange { policy: Some(Some(Arc::from(policy))), ..Default::default() };
    sqs.engine.configure(id, change).await.map_err(|it| fault::of(it, ""))
}

fn permission(request: AddPermissionRequest) -> Result<Permission, Fault> {
    check_label(&request.label)?;
    let actions = request.actions.unwrap_or_default();
    if actions.is_empty() {
        return Err(fault::missing_parameter("ActionName"));
    }
    if actions.len() > MOST_ACTIONS {
        let number = actions.len();
        return Err(fault::over_limit(format!(
            "{number} Actions were found, maximum allowed is {MOST_ACTIONS}."
        )));
    }
    actions.iter().try_for_each(|action| check_action(action))?;
    let accounts = accounts(&request.aws_account_ids.unwrap_or_default())?;
    Ok(Permission { label: request.label, accounts, actions })
}

/// Checks what a permission is to go by.
fn check_label(label: &str) -> Result<(), Fault> {
    if label.is_empty() {
        return Err(fault::missing_parameter("Label"));
    }
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    if label.len() <= LONGEST_LABEL && label.bytes().all(plain) {
        return Ok(());
    }
    Err(fault::invalid_value(
        label,
        "Label",
        format_args!(
            "Can only include alphanumeric characters, hyphens, or underscores. 1 to \
             {LONGEST_LABEL} in length."
        ),
    ))
}

fn check_action(action: &str) -> Result<(), Fault> {
    let reason = if GRANTABLE.contains(&action) {
        return Ok(());
    } else if OWNERS.contains(&action) {
        "Only the queue owner is allowed to invoke this action."
    } else {
        "Please refer to the appropriate WSDL for a list of valid actions."
    };
    Err(fault::invalid_value(format_args!("SQS:{action}"), "ActionName", reason))
}

/// The accounts among the ids. Those that are none do not matter, as on AWS, as long as one is.
fn accounts(given: &[String]) -> Result<Vec<AccountId>, Fault> {
    if given.is_empty() {
        return Err(fault::missing_parameter("AWSAccountIds"));
    }
    let accounts: Vec<_> = given.iter().filter_map(|id| id.parse().ok()).collect();
    if accounts.is_empty() {
        let given = given.join(", ");
        let value = format_args!("[{given}]").to_string();
        return Err(fault::invalid_value(value, "PrincipalId", "Unable to verify."));
    }
    Ok(accounts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_actions_can_be_granted_and_some_are_the_owners_alone() {
        assert!(check_action("SendMessage").is_ok() && check_action("*").is_ok());
        let told = |action| check_action(action).unwrap_err().message.to_string();
        assert!(told("CreateQueue").contains("Only the queue owner"));
        assert!(told("SendMessageBatch").starts_with("Value SQS:SendMessageBatch for parameter"));
    }

    #[test]
    fn an_id_that_is_none_is_left_out_unless_all_are() {
        let given = ["no-account".to_owned(), "123456789012".to_owned()];
        assert_eq!(accounts(&given).unwrap().len(), 1);
        let told = accounts(&given[..1]).unwrap_err().message;
        assert!(told.starts_with("Value [no-account] for parameter PrincipalId"), "{told}");
    }

    #[test]
    fn a_label_has_80_plain_characters() {
        assert!(check_label("Alice-Send_1").is_ok());
        for bad in ["", "a b", "é", &"l".repeat(81)] {
            assert!(check_label(bad).is_err(), "{bad:?}");
        }
    }
}
