//! ListDeadLetterSourceQueues.

use tidemill_api::sqs::{ListDeadLetterSourceQueuesRequest, ListDeadLetterSourceQueuesResult};
use tidemill_wire::Fault;

use crate::context::Context;

use super::Sqs;
use super::page::Page;
use super::queue_url::QueueUrl;

pub(super) fn handle(
    sqs: &Sqs,
    cx: &Context<'_>,
    request: &ListDeadLetterSourceQueuesRequest,
) -> Result<ListDeadLetterSourceQueuesResult, Fault> {
    let (_, key) = sqs.queue(cx, &request.queue_url)?;
    let page = Page::read(request.max_results, request.next_token.as_deref())?;
    let mut sources = sqs.engine.dead_letter_sources(&key);
    sources.retain(|source| page.after.as_ref().is_none_or(|after| source.name > *after));
    sources.sort_unstable();
    let next_token = page.cut(&mut sources);
    let url = |key| QueueUrl { base: cx.base_url, key }.to_string();
    Ok(ListDeadLetterSourceQueuesResult {
        queue_urls: sources.iter().map(url).collect(),
        next_token,
    })
}
