//! PurgeQueue.

use tidemill_api::sqs::PurgeQueueRequest;
use tidemill_queue::{Error, Refusal};
use tidemill_wire::Fault;

use crate::context::Context;

use super::{Sqs, fault};

pub(super) async fn handle(
    sqs: &Sqs,
    cx: &Context<'_>,
    request: PurgeQueueRequest,
) -> Result<(), Fault> {
    let (id, key) = sqs.queue(cx, &request.queue_url)?;
    sqs.engine.purge(id).await.map_err(|error| match error {
        Error::Refused(Refusal::PurgedRecently) => fault::purge_in_progress(key.name.as_str()),
        error => fault::of(error, ""),
    })
}
