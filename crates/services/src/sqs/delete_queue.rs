//! DeleteQueue.

use tidemill_api::sqs::DeleteQueueRequest;
use tidemill_wire::Fault;

use crate::context::Context;

use super::{Sqs, fault};

pub(super) async fn handle(
    sqs: &Sqs,
    cx: &Context<'_>,
    request: DeleteQueueRequest,
) -> Result<(), Fault> {
    let (id, _) = sqs.queue(cx, &request.queue_url)?;
    sqs.engine.remove(id).await.map_err(|it| fault::of(it, ""))
}
