//! ListQueues.

use tidemill_api::sqs::{ListQueuesRequest, ListQueuesResult};
use tidemill_base::QueueName;
use tidemill_queue::QueueKey;
use tidemill_wire::Fault;

use crate::context::Context;

use super::queue_url::QueueUrl;
use super::{Sqs, fault};

/// Most queues of one page, and of an answer that is not paged.
const PAGE: usize = 1000;

pub(super) fn handle(
    sqs: &Sqs,
    cx: &Context<'_>,
    request: ListQueuesRequest,
) -> Result<ListQueuesResult, Fault> {
    let page = request.max_results.map(page).transpose()?;
    // A token is the last name of the page before: nothing to keep, and nothing to expire.
    let token = request.next_token.filter(|token| !token.is_empty());
    let after = token.map(|token| token.parse::<QueueName>()).transpose();
    let after = after.map_err(|_| fault::invalid("Invalid or expired next token."))?;
    let prefix = request.queue_name_prefix.unwrap_or_default();
    let limit = page.unwrap_or(PAGE);
    let found = sqs.engine.list(cx.account(), &cx.region, &prefix, after.as_ref(), limit + 1);
    let key = |name| QueueKey { account: cx.account(), region: cx.region.clone(), name };
    let mut keys: Vec<_> = found.into_iter().map(|(name, _)| key(name)).collect();
    let more = keys.len() > limit;
    keys.truncate(limit);
    let last = keys.last().map(|key| key.name.to_string());
    let next_token = last.filter(|_| more && page.is_some());
    let urls: Vec<_> =
        keys.iter().map(|key| QueueUrl { base: cx.base_url, key }.to_string()).collect();
    Ok(ListQueuesResult { queue_urls: (!urls.is_empty()).then_some(urls), next_token })
}

fn page(number: i32) -> Result<usize, Fault> {
    match usize::try_from(number) {
        Ok(page @ 1..=PAGE) => Ok(page),
        _ => Err(fault::invalid_value(
            number,
            "MaxResults",
            format_args!("MaxResults must be an integer between 1 and {PAGE}."),
        )),
    }
}
