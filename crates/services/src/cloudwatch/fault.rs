//! Where the engine's refusals and failures meet the wire, and the words that AWS has for them.

use std::borrow::Cow;

use tidemill_api::cloudwatch::errors;
use tidemill_metric::Error;
use tidemill_queue::Failure;
use tidemill_wire::{Fault, fault as common};

use crate::disk;

/// The engine's answer as the caller is told it who sent values,
pub(super) fn of(error: &Error) -> Fault {
    full_or_failed(error, "metrics: send fewer")
}

/// and as he is told it who put an alarm, or tagged one.
pub(super) fn of_alarms(error: &Error) -> Fault {
    full_or_failed(error, "alarms: delete some")
}

fn full_or_failed(error: &Error, what_to_do: &str) -> Fault {
    match error {
        Error::Full => Fault::new(
            &common::THROTTLED,
            format!(
                "there is no memory for more {what_to_do}, or start the service with more \
                 (--metrics-memory)"
            ),
        ),
        Error::Poisoned(_) => failed(),
    }
}

/// What is wrong with the disk that all share.
pub(super) fn of_disk(failure: &Failure) -> Fault {
    disk::of_failure(failure, &errors::INTERNAL_SERVICE_FAULT, &common::UNAVAILABLE)
}

pub(super) fn failed() -> Fault {
    disk::failed(&errors::INTERNAL_SERVICE_FAULT)
}

/// A parameter whose value will not do.
pub(super) fn invalid(message: impl Into<Cow<'static, str>>) -> Fault {
    Fault::new(&errors::INVALID_PARAMETER_VALUE_EXCEPTION, message)
}

/// Parameters that do not go together.
pub(super) fn combination(message: impl Into<Cow<'static, str>>) -> Fault {
    Fault::new(&errors::INVALID_PARAMETER_COMBINATION_EXCEPTION, message)
}

/// A parameter that is not there.
pub(super) fn missing(message: impl Into<Cow<'static, str>>) -> Fault {
    Fault::new(&errors::MISSING_REQUIRED_PARAMETER_EXCEPTION, message)
}

/// What the younger operations answer to any of these.
pub(super) fn validation(message: impl Into<Cow<'static, str>>) -> Fault {
    Fault::new(&common::VALIDATION, message)
}

/// Two parameters of which there may be one.
pub(super) fn both(one: &str, other: &str) -> String {
    format!("The parameters {one} and {other} are mutually exclusive and you have specified both.")
}

pub(super) fn too_many(collection: &str, most: usize) -> String {
    format!("The collection {collection} must not have a size greater than {most}.")
}

pub(super) fn bad_value(value: impl std::fmt::Display, parameter: &str) -> String {
    format!("The value {value} for parameter {parameter} is invalid.")
}

/// One alarm more than there may be.
pub(super) fn too_many_alarms(most: usize) -> Fault {
    let message = format!("There are {most} alarms in this region already, which is the limit.");
    Fault::new(&errors::LIMIT_EXCEEDED_FAULT, message)
}

/// A token that we did not give out, to ListMetrics, which has no error of its own for it.
pub(super) fn bad_list_token() -> Fault {
    invalid("Invalid nextToken")
}

/// The same, to the others.
pub(super) fn bad_token() -> Fault {
    Fault::new(&errors::INVALID_NEXT_TOKEN, "The next token is invalid.")
}
