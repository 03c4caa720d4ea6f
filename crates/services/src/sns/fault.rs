//! Where the engine's refusals and failures meet the wire, and the words that AWS has for them.

use tidemill_api::sns::errors;
use tidemill_notice::{NoticeError, Refusal};
use tidemill_queue::Failure;
use tidemill_wire::{Fault, fault as common};

use crate::disk;

/// The engine's answer as the caller is told it.
#[expect(clippy::needless_pass_by_value, reason = "for `map_err`")]
pub(super) fn of(error: NoticeError) -> Fault {
    match error {
        NoticeError::Poisoned(_) => disk::failed(&errors::INTERNAL_ERROR_EXCEPTION),
        NoticeError::Refused(refusal) => of_refusal(refusal),
    }
}

fn of_refusal(refusal: Refusal) -> Fault {
    match refusal {
        Refusal::NoTopic => no_topic(),
        Refusal::NoSubscription => no_subscription(),
        Refusal::OtherSettings => {
            invalid("Attributes Reason: Topic already exists with different attributes")
        }
        Refusal::OtherTags => invalid("Tags Reason: Topic already exists with different tags"),
        Refusal::OtherForm => {
            invalid("Attributes Reason: Subscription already exists with different attributes")
        }
        Refusal::TooManyTopics(most) => Fault::new(
            &errors::TOPIC_LIMIT_EXCEEDED_EXCEPTION,
            format!("There are {most} topics in this region already, which is the limit."),
        ),
        Refusal::TooManySubscriptions(most) => Fault::new(
            &errors::SUBSCRIPTION_LIMIT_EXCEEDED_EXCEPTION,
            format!("The topic has {most} subscriptions already, which is the limit."),
        ),
        Refusal::TooManyTags(_) => Fault::new(
            &errors::TAG_LIMIT_EXCEEDED_EXCEPTION,
            "Could not complete request: tag quota of per resource exceeded",
        ),
    }
}

/// What is wrong with the disk that all share.
pub(super) fn of_disk(failure: &Failure) -> Fault {
    disk::of_failure(failure, &errors::INTERNAL_ERROR_EXCEPTION, &common::UNAVAILABLE)
}

/// A parameter whose value will not do: its name, or what is wrong.
pub(super) fn invalid(what: impl std::fmt::Display) -> Fault {
    let message = format!("Invalid parameter: {what}");
    Fault::new(&errors::INVALID_PARAMETER_EXCEPTION, message)
}

/// What a message's attribute cannot be.
pub(super) fn invalid_value(message: String) -> Fault {
    Fault::new(&errors::INVALID_PARAMETER_VALUE_EXCEPTION, message)
}

pub(super) fn no_topic() -> Fault {
    Fault::new(&errors::NOT_FOUND_EXCEPTION, "Topic does not exist")
}

pub(super) fn no_subscription() -> Fault {
    Fault::new(&errors::NOT_FOUND_EXCEPTION, "Subscription does not exist")
}

/// What cannot be tagged, as it is not there.
pub(super) fn no_resource() -> Fault {
    Fault::new(&errors::RESOURCE_NOT_FOUND_EXCEPTION, "Resource does not exist")
}
