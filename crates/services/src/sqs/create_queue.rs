//! CreateQueue.

use tidemill_api::sqs::{CreateQueueRequest, CreateQueueResult};
use tidemill_base::QueueName;
use tidemill_queue::QueueKey;
use tidemill_wire::Fault;

use crate::context::Context;

use super::queue_url::QueueUrl;
use super::{Sqs, attributes, fault, tags};

pub(super) async fn handle(
    sqs: &Sqs,
    cx: &Context<'_>,
    request: CreateQueueRequest,
) -> Result<CreateQueueResult, Fault> {
    if request.queue_name.as_deref() == Some("") {
        return Err(fault::invalid("Queue name cannot be empty"));
    }
    let name = name(&request.queue_name.unwrap_or_default())?;
    let given = request.attributes.unwrap_or_default();
    let tags = tags::read(&name, request.tags.unwrap_or_default())?;
    let key = QueueKey { account: cx.account(), region: cx.region.clone(), name };
    let change = attributes::of_new(sqs, &key, &given)?;
    let url = QueueUrl { base: cx.base_url, key: &key }.to_string();
    let created = sqs.engine.create(key, change, tags).await;
    created.map_err(|it| fault::of(it, ""))?;
    Ok(CreateQueueResult { queue_url: Some(url) })
}

/// Reads a queue's name as CreateQueue and GetQueueUrl are given it.
pub(super) fn name(text: &str) -> Result<QueueName, Fault> {
    if text.is_empty() {
        return Err(fault::invalid(
            "Value for parameter QueueName is invalid. Reason: Must specify a queue name.",
        ));
    }
    text.parse().map_err(|_| fault::bad_queue_name())
}
