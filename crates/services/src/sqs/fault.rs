//! Where the engine's refusals and failures meet the wire, and the words that AWS has for them.

use std::borrow::Cow;

use tidemill_api::sqs::errors;
use tidemill_queue::{Error, LONGEST_HIDDEN, Refusal};
use tidemill_wire::{Fault, fault as common};

use crate::context::Principal;
use crate::disk;

use super::attributes;

/// The engine's answer as the caller is told it. `handle` is the receipt handle in question.
pub(super) fn of(error: Error, handle: &str) -> Fault {
    match error {
        Error::Refused(refusal) => of_refusal(refusal, handle),
        Error::Failed(failure) => {
            disk::of_failure(&failure, &common::INTERNAL_FAILURE, &common::UNAVAILABLE)
        }
    }
}

fn of_refusal(refusal: Refusal, handle: &str) -> Fault {
    match refusal {
        Refusal::NoSuchQueue => no_such_queue(),
        Refusal::Exists { setting } => Fault::new(
            &errors::QUEUE_NAME_EXISTS,
            format!(
                "A queue already exists with the same name and a different value for attribute {}",
                attributes::name_of(&setting)
            ),
        ),
        Refusal::RemovedRecently => Fault::new(
            &errors::QUEUE_DELETED_RECENTLY,
            "You must wait 60 seconds after deleting a queue before you can create another with \
             the same name.",
        ),
        // The caller names the queue: see `purge_queue`.
        Refusal::PurgedRecently => purge_in_progress("this queue"),
        Refusal::InFlightLimit => Fault::new(
            &errors::OVER_LIMIT,
            "Too many messages in flight: delete messages, or let their visibility timeouts end.",
        ),
        Refusal::BadReceipt => bad_receipt(handle),
        Refusal::MessageGone => invalid_value(
            handle,
            "ReceiptHandle",
            "Message does not exist or is not available for visibility timeout change.",
        ),
        Refusal::HiddenTooLong { asked } => invalid_value(
            asked.as_secs(),
            "VisibilityTimeout",
            format_args!(
                "Total VisibilityTimeout for the message is beyond the limit [{} seconds]",
                LONGEST_HIDDEN.as_secs()
            ),
        ),
        Refusal::ReceiptExpired => {
            invalid_value(handle, "ReceiptHandle", "The receipt handle has expired.")
        }
        Refusal::TooLarge => too_long(1 << 20),
        Refusal::NotADeadLetterQueue => {
            invalid("Source queue must be configured as a Dead Letter Queue.")
        }
        Refusal::MoveUnderWay => invalid(
            "There is already a task running. Only one active task is allowed for a source queue \
             arn at a given time.",
        ),
        Refusal::BadMoveId => bad_task_handle(),
        Refusal::NoSuchMove => no_such_task(),
        Refusal::MoveIsOver => invalid("Only active tasks can be cancelled."),
        Refusal::NoSuchDestination => no_such_resource("DestinationArn"),
        Refusal::SameQueue => {
            invalid("Source queue arn and destination queue arn cannot be the same.")
        }
        Refusal::OtherDiscipline => {
            invalid("The source queue and destination queue must be of the same queue type.")
        }
    }
}

pub(super) fn no_such_queue() -> Fault {
    Fault::new(&errors::QUEUE_DOES_NOT_EXIST, "The specified queue does not exist.")
        .in_query("The specified queue does not exist for this wsdl version.")
}

/// A queue that an ARN names and that is not there.
pub(super) fn no_such_resource(parameter: &str) -> Fault {
    Fault::new(
        &errors::RESOURCE_NOT_FOUND_EXCEPTION,
        format!("The resource that you specified for the {parameter} parameter doesn't exist."),
    )
}

pub(super) fn no_such_task() -> Fault {
    Fault::new(&errors::RESOURCE_NOT_FOUND_EXCEPTION, "Task does not exist.")
}

pub(super) fn bad_task_handle() -> Fault {
    invalid("Value for parameter TaskHandle is invalid.")
}

pub(super) fn purge_in_progress(queue: &str) -> Fault {
    Fault::new(
        &errors::PURGE_QUEUE_IN_PROGRESS,
        format!("Only one PurgeQueue operation on {queue} is allowed every 60 seconds."),
    )
}

pub(super) fn bad_receipt(handle: &str) -> Fault {
    Fault::new(
        &errors::RECEIPT_HANDLE_IS_INVALID,
        format!("The input receipt handle \"{handle}\" is not a valid receipt handle."),
    )
}

pub(super) fn too_long(limit: u64) -> Fault {
    invalid(format!(
        "One or more parameters are invalid. Reason: Message must be shorter than {limit} bytes."
    ))
}

/// A message of a batch that is longer than its queue allows; the others may do.
pub(super) fn entry_too_long(limit: u64) -> Fault {
    invalid(format!(
        "One or more parameters cannot be validated. Reason: Message must be shorter than {limit} \
         bytes."
    ))
}

pub(super) fn missing_parameter(name: &str) -> Fault {
    Fault::new(
        &errors::MISSING_REQUIRED_PARAMETER_EXCEPTION,
        format!("The request must contain the parameter {name}."),
    )
}

/// A parameter whose value will not do.
pub(super) fn invalid(message: impl Into<Cow<'static, str>>) -> Fault {
    Fault::new(&errors::INVALID_PARAMETER_VALUE_EXCEPTION, message)
}

/// A parameter whose value will not do, in the words that AWS has for most of them.
pub(super) fn invalid_value(
    value: impl std::fmt::Display,
    parameter: &str,
    reason: impl std::fmt::Display,
) -> Fault {
    invalid(format!("Value {value} for parameter {parameter} is invalid. Reason: {reason}"))
}

/// A parameter that only a FIFO queue takes.
pub(super) fn not_of_this_queue_type(parameter: &str) -> Fault {
    invalid(format!(
        "The request include parameter {parameter} which is not valid for this queue type"
    ))
}

/// A message without anything that it could be known by.
pub(super) fn no_deduplication() -> Fault {
    invalid(
        "The queue should either have ContentBasedDeduplication enabled or \
         MessageDeduplicationId provided explicitly",
    )
}

pub(super) fn unknown_attribute(name: &str) -> Fault {
    Fault::new(&errors::INVALID_ATTRIBUTE_NAME, format!("Unknown Attribute {name}."))
}

pub(super) fn invalid_attribute(name: &str) -> Fault {
    Fault::new(&errors::INVALID_ATTRIBUTE_VALUE, format!("Invalid value for the parameter {name}."))
}

pub(super) fn invalid_attribute_for(name: &str, reason: &str) -> Fault {
    Fault::new(
        &errors::INVALID_ATTRIBUTE_VALUE,
        format!("Invalid value for the parameter {name}. Reason: {reason}"),
    )
}

pub(super) fn over_limit(message: impl Into<Cow<'static, str>>) -> Fault {
    Fault::new(&errors::OVER_LIMIT, message)
}

/// What a standard queue cannot be called.
pub(super) fn bad_queue_name() -> Fault {
    invalid("Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length")
}

/// What a FIFO queue cannot be called.
pub(super) fn bad_fifo_name() -> Fault {
    invalid(
        "The name of a FIFO queue can only include alphanumeric characters, hyphens, or \
         underscores, must end with .fifo suffix and be 1 to 80 in length.",
    )
}

pub(super) fn throughput_wants_deduplication() -> Fault {
    Fault::new(
        &errors::INVALID_ATTRIBUTE_VALUE,
        "The perMessageGroupId value is allowed only when the value for DeduplicationScope is \
         messageGroup",
    )
}

pub(super) fn invalid_contents() -> Fault {
    Fault::new(
        &errors::INVALID_MESSAGE_CONTENTS,
        "Invalid characters found. Valid unicode characters are #x9 | #xA | #xD | #x20 to #xD7FF \
         | #xE000 to #xFFFD | #x10000 to #x10FFFF",
    )
}

pub(super) fn access_denied(principal: &Principal) -> Fault {
    Fault::new(
        &common::ACCESS_DENIED,
        format!("User: {principal} is not authorized to use a queue of another account"),
    )
}

pub(super) fn two_encryptions() -> Fault {
    Fault::new(
        &errors::INVALID_ATTRIBUTE_NAME,
        "You can use one type of server-side encryption (SSE) at one time. You can either enable \
         KMS SSE or SQS SSE.",
    )
}

/// An attribute that a standard queue cannot have.
pub(super) fn only_when_fifo(name: &str) -> Fault {
    Fault::new(
        &errors::INVALID_ATTRIBUTE_NAME,
        format!("You can specify the {name} only when FifoQueue is set to true."),
    )
}
