//! GetQueueAttributes.

use tidemill_api::sqs::{GetQueueAttributesRequest, GetQueueAttributesResult};
use tidemill_wire::Fault;

use crate::context::Context;

use super::{Sqs, attributes, fault};

pub(super) fn handle(
    sqs: &Sqs,
    cx: &Context<'_>,
    request: GetQueueAttributesRequest,
) -> Result<GetQueueAttributesResult, Fault> {
    let (id, _) = sqs.queue(cx, &request.queue_url)?;
    let names = request.attribute_names.unwrap_or_default();
    let described = sqs.engine.describe(id);
    let described = described.map_err(|it| fault::of(it.into(), ""))?;
    let shown = attributes::show(&described, names.iter().map(AsRef::as_ref))?;
    Ok(GetQueueAttributesResult { attributes: (!shown.is_empty()).then_some(shown) })
}
