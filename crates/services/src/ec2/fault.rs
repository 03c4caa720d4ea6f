//! Where the engine's refusals and failures meet the wire, and the words that AWS has for them.

use std::borrow::Cow;

use tidemill_api::ec2::{Request, errors};
use tidemill_fleet::{FleetError, Refusal, Which};
use tidemill_queue::Failure;
use tidemill_wire::Fault;

use crate::disk;

/// The engine's answer as the caller is told it.
pub(crate) fn of(error: FleetError) -> Fault {
    match error {
        FleetError::Refused(refusal) => refused(refusal),
        FleetError::Poisoned(_) => failed(),
    }
}

/// A refusal as the caller is told it.
pub(crate) fn refused(refusal: Refusal) -> Fault {
    match refusal {
        Refusal::NoInstances(ids) => {
            let ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
            let (plural, do_not) = if ids.len() == 1 { ("", "does not") } else { ("s", "do not") };
            let message = format!("The instance ID{plural} '{}' {do_not} exist", ids.join(", "));
            Fault::new(&errors::INVALID_INSTANCE_ID_NOT_FOUND, message)
        }
        Refusal::NoTemplate(id) => Fault::new(
            &errors::TEMPLATE_ID_NOT_FOUND,
            format!("The specified launch template, with template ID {id}, does not exist."),
        ),
        Refusal::NoTemplateCalled(name) => Fault::new(
            &errors::TEMPLATE_NAME_NOT_FOUND,
            format!("The specified launch template, with template name {name}, does not exist."),
        ),
        Refusal::NoVersion { template, version } => {
            let version = match version {
                Which::Default => "$Default".to_owned(),
                Which::Latest => "$Latest".to_owned(),
                Which::Number(number) => number.to_string(),
            };
            Fault::new(
                &errors::TEMPLATE_VERSION_NOT_FOUND,
                format!(
                    "Could not find the specified version {version} for the launch template with \
                     ID {template}."
                ),
            )
        }
        Refusal::NameTaken(_) => {
            Fault::new(&errors::TEMPLATE_NAME_TAKEN, "Launch template name already in use.")
        }
        Refusal::IsDefault(_) => operation_not_permitted(
            "The default version of a launch template cannot be deleted: make another one the \
             default first.",
        ),
        Refusal::WrongPhase { id, phase } => Fault::new(
            &errors::INCORRECT_INSTANCE_STATE,
            format!(
                "The instance '{id}' is not in a state from which that can be done: it is {}.",
                phase.word()
            ),
        ),
        Refusal::KeepsLiving(id) => operation_not_permitted(format!(
            "The instance '{id}' may not be terminated. It was launched with \
             'DisableApiTermination'."
        )),
        Refusal::KeepsRunning(id) => operation_not_permitted(format!(
            "The instance '{id}' may not be stopped. It was launched with 'DisableApiStop'."
        )),
        Refusal::OtherRequest(token) => Fault::new(
            &errors::IDEMPOTENT_PARAMETER_MISMATCH,
            format!("The client token '{token}' was used with other parameters before."),
        ),
        Refusal::TooMany(most) => {
            let message = format!("There may be {most} instances at once (--max-instances).");
            Fault::new(&errors::INSTANCE_LIMIT_EXCEEDED, message)
        }
        Refusal::TooManyTemplates(most) => {
            limited(format!("There may be {most} launch templates in a region."))
        }
        Refusal::TooManyVersions(most) => {
            limited(format!("A launch template may have {most} versions."))
        }
        Refusal::TooManyTags(most) => {
            Fault::new(&errors::TAG_LIMIT_EXCEEDED, format!("A resource may have {most} tags."))
        }
    }
}

/// What is wrong with the disk that all share.
pub(super) fn of_disk(failure: &Failure) -> Fault {
    disk::of_failure(failure, &errors::INTERNAL_ERROR, &errors::UNAVAILABLE)
}

pub(super) fn failed() -> Fault {
    disk::failed(&errors::INTERNAL_ERROR)
}

/// A parameter whose value will not do.
pub(super) fn invalid(message: impl Into<Cow<'static, str>>) -> Fault {
    Fault::new(&errors::INVALID_PARAMETER_VALUE, message)
}

/// Parameters that do not go together.
pub(super) fn combination(message: impl Into<Cow<'static, str>>) -> Fault {
    Fault::new(&errors::INVALID_PARAMETER_COMBINATION, message)
}

/// A parameter that is not there.
pub(super) fn missing(message: impl Into<Cow<'static, str>>) -> Fault {
    Fault::new(&errors::MISSING_PARAMETER, message)
}

/// What we do not do.
pub(super) fn unsupported(message: impl Into<Cow<'static, str>>) -> Fault {
    Fault::new(&errors::UNSUPPORTED_OPERATION, message)
}

/// Refuses parameters that no process can be given: the first of them that is there.
pub(super) fn refuse(parameters: &[(&'static str, bool)]) -> Result<(), Fault> {
    match parameters.iter().find(|(_, given)| *given) {
        None => Ok(()),
        Some((name, _)) => Err(unsupported(format!(
            "{name} is not supported: an instance of Tidemill is a process of its machine."
        ))),
    }
}

fn limited(message: String) -> Fault {
    Fault::new(&errors::RESOURCE_LIMIT_EXCEEDED, message)
}

fn operation_not_permitted(message: impl Into<Cow<'static, str>>) -> Fault {
    Fault::new(&errors::OPERATION_NOT_PERMITTED, message)
}

/// What is answered to whoever only wants to know whether it could be done.
pub(super) fn dry_run() -> Fault {
    Fault::new(&errors::DRY_RUN_OPERATION, "Request would have succeeded, but DryRun flag is set.")
}

/// Whether a request only asks whether it could be done.
pub(super) fn is_dry(request: &Request) -> bool {
    use Request as Q;
    let dry = match request {
        Q::CreateLaunchTemplate(it) => it.dry_run,
        Q::CreateLaunchTemplateVersion(it) => it.dry_run,
        Q::CreateTags(it) => it.dry_run,
        Q::DeleteLaunchTemplate(it) => it.dry_run,
        Q::DeleteLaunchTemplateVersions(it) => it.dry_run,
        Q::DeleteTags(it) => it.dry_run,
        Q::DescribeImages(it) => it.dry_run,
        Q::DescribeInstanceStatus(it) => it.dry_run,
        Q::DescribeInstanceTypes(it) => it.dry_run,
        Q::DescribeInstances(it) => it.dry_run,
        Q::DescribeLaunchTemplateVersions(it) => it.dry_run,
        Q::DescribeLaunchTemplates(it) => it.dry_run,
        Q::DescribeTags(it) => it.dry_run,
        Q::GetConsoleOutput(it) => it.dry_run,
        Q::ModifyLaunchTemplate(it) => it.dry_run,
        Q::RebootInstances(it) => it.dry_run,
        Q::RunInstances(it) => it.dry_run,
        Q::StartInstances(it) => it.dry_run,
        Q::StopInstances(it) => it.dry_run,
        Q::TerminateInstances(it) => it.dry_run,
    };
    dry == Some(true)
}
