//! What the operations on message move tasks have in common: they name queues by ARN.

use tidemill_queue::{QueueId, QueueKey};
use tidemill_wire::Fault;

use crate::context::Context;

use super::queue_arn::{self, BadQueueArn};
use super::{Sqs, fault};

/// The queue whose ARN the caller gave as `parameter`, if the caller may use it.
pub(super) fn queue(
    sqs: &Sqs,
    cx: &Context<'_>,
    parameter: &str,
    arn: &str,
) -> Result<(QueueId, QueueKey), Fault> {
    let key = queue_arn::read(arn).map_err(|error| match error {
        BadQueueArn::Malformed => fault::invalid(format!(
            "You must use this format to specify the {parameter}: \
             arn:<partition>:<service>:<region>:<account-id>:<resource-id>"
        )),
        BadQueueArn::OtherService => fault::no_such_resource(parameter),
    })?;
    known(sqs, cx, parameter, key)
}

/// The queue `key`, if it is there: in the region that is spoken to, and of somebody who lets the
/// caller use it.
pub(super) fn known(
    sqs: &Sqs,
    cx: &Context<'_>,
    parameter: &str,
    key: QueueKey,
) -> Result<(QueueId, QueueKey), Fault> {
    if key.region != cx.region || sqs.engine.find(&key).is_none() {
        return Err(fault::no_such_resource(parameter));
    }
    sqs.named(cx, key)
}
