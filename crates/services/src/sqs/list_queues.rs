//! ListQueues.

use tidemill_api::sqs::{ListQueuesRequest, ListQueuesResult};
use tidemill_queue::QueueKey;
use tidemill_wire::Fault;

use crate::context::Context;

use super::Sqs;
use super::page::Page;
use super::queue_url::QueueUrl;

pub(super) fn handle(
    sqs: &Sqs,
    cx: &Context<'_>,
    request: &ListQueuesRequest,
) -> Result<ListQueuesResult, Fault> {
    let page = Page::read(request.max_results, request.next_token.as_deref())?;
    let prefix = request.queue_name_prefix.as_deref().unwrap_or_default();
    let (account, after) = (cx.account(), page.after.as_ref());
    let found = sqs.engine.list(account, &cx.region, prefix, after, page.wanted());
    let key = |name| QueueKey { account, region: cx.region.clone(), name };
    let mut keys: Vec<_> = found.into_iter().map(|(name, _)| key(name)).collect();
    let next_token = page.cut(&mut keys);
    let urls: Vec<_> =
        keys.iter().map(|key| QueueUrl { base: cx.base_url, key }.to_string()).collect();
    Ok(ListQueuesResult { queue_urls: (!urls.is_empty()).then_some(urls), next_token })
}
