//! SetQueueAttributes.

use tidemill_api::sqs::SetQueueAttributesRequest;
use tidemill_wire::Fault;

use crate::context::Context;

use super::{Sqs, attributes, fault};

pub(super) async fn handle(
    sqs: &Sqs,
    cx: &Context<'_>,
    request: SetQueueAttributesRequest,
) -> Result<(), Fault> {
    let (id, key) = sqs.queue(cx, &request.queue_url)?;
    attributes::refuse_fifo(&key.name, &request.attributes)?;
    let change = attributes::read(&request.attributes)?;
    sqs.engine.configure(id, change).await.map_err(|it| fault::of(it, ""))
}
