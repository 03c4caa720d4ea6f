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
    let given = request.attributes.unwrap_or_default();
    if given.is_empty() {
        return Err(fault::missing_parameter("Attribute.Name"));
    }
    let _alone = sqs.editing.lock().await;
    let change = attributes::of_existing(sqs, &key, &*sqs.settings(id)?, &given)?;
    sqs.engine.configure(id, change).await.map_err(|it| fault::of(it, ""))
}
