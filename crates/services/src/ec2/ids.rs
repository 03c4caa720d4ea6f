//! Ids as callers write them.

use tidemill_api::ec2::errors;
use tidemill_fleet::{InstanceId, TemplateId, TemplateOf, Which};
use tidemill_wire::Fault;

use super::fault;

/// Reads an instance's id.
pub(super) fn instance(text: &str) -> Result<InstanceId, Fault> {
    text.parse().map_err(|_| {
        Fault::new(&errors::INVALID_INSTANCE_ID_MALFORMED, format!("Invalid id: \"{text}\""))
    })
}

/// Reads instances' ids, of which there must be one at least.
pub(super) fn instances(texts: &[String]) -> Result<Vec<InstanceId>, Fault> {
    if texts.is_empty() {
        return Err(fault::missing("The request must contain the parameter InstanceId"));
    }
    texts.iter().map(|text| instance(text)).collect()
}

/// Reads a template's id.
pub(super) fn template(text: &str) -> Result<TemplateId, Fault> {
    text.parse().map_err(|_| {
        Fault::new(
            &errors::TEMPLATE_ID_MALFORMED,
            format!("The specified launch template ID '{text}' is not valid."),
        )
    })
}

/// Which template is meant, by one of its names.
pub(crate) fn template_of(id: Option<&str>, name: Option<&str>) -> Result<TemplateOf, Fault> {
    match (id, name) {
        (Some(id), None) => template(id).map(TemplateOf::Id),
        (None, Some(name)) => Ok(TemplateOf::Name(name.to_owned())),
        (None, None) => Err(fault::missing(
            "Either a launch template ID or a launch template name must be specified in the \
             request.",
        )),
        (Some(_), Some(_)) => Err(fault::combination(
            "Either a launch template ID or a launch template name may be specified in the \
             request, and not both.",
        )),
    }
}

/// Reads a version: a number, `$Default` or `$Latest`.
pub(crate) fn version(text: &str) -> Result<Which, Fault> {
    match text {
        "$Default" => Ok(Which::Default),
        "$Latest" => Ok(Which::Latest),
        number => number.parse().map(Which::Number).map_err(|_| {
            fault::invalid(format!(
                "'{number}' is no version: a number, $Default or $Latest is one."
            ))
        }),
    }
}
