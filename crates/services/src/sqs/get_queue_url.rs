//! GetQueueUrl.

use tidemill_api::sqs::{GetQueueUrlRequest, GetQueueUrlResult};
use tidemill_queue::QueueKey;
use tidemill_wire::Fault;

use crate::context::Context;

use super::queue_url::QueueUrl;
use super::{Sqs, create_queue, fault};

pub(super) fn handle(
    sqs: &Sqs,
    cx: &Context<'_>,
    request: &GetQueueUrlRequest,
) -> Result<GetQueueUrlResult, Fault> {
    let name = create_queue::name(&request.queue_name)?;
    let account = match request.queue_owner_aws_account_id.as_deref() {
        None | Some("") => cx.account(),
        Some(owner) => owner.parse().map_err(|_| fault::no_such_queue())?,
    };
    let (_, key) = sqs.named(cx, QueueKey { account, region: cx.region.clone(), name })?;
    let url = QueueUrl { base: cx.base_url, key: &key }.to_string();
    Ok(GetQueueUrlResult { queue_url: Some(url) })
}
