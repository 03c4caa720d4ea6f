//! ListMetrics: the metrics of which there was a value lately, five hundred a page.

use std::time::Duration;

use tidemill_api::cloudwatch::{DimensionFilter, ListMetricsInput, ListMetricsOutput, Metric};
use tidemill_metric::{Listing, MetricKey};
use tidemill_wire::Fault;

use super::{CloudWatch, fault, names};
use crate::context::Context;
use crate::token;

/// Most metrics of a page.
const PAGE: usize = 500;
/// What has had no value for so long is not listed.
const LATELY: Duration = Duration::from_hours(14 * 24);
/// Nor this, if what is active is asked for.
const ACTIVE: Duration = Duration::from_hours(3);

pub(super) fn handle(
    service: &CloudWatch,
    cx: &Context<'_>,
    it: &ListMetricsInput,
) -> Result<ListMetricsOutput, Fault> {
    let filters = it.dimensions.as_deref().unwrap_or_default();
    let wanted = |key: &MetricKey| {
        it.namespace.as_deref().is_none_or(|namespace| namespace == &*key.namespace)
            && it.metric_name.as_deref().is_none_or(|name| name == &*key.name)
            && filters.iter().all(|filter| has(key, filter))
    };
    let token = it.next_token.as_deref().filter(|token| !token.is_empty());
    let after =
        token.map(|token| read_token(cx, token).ok_or_else(fault::bad_list_token)).transpose()?;
    let lately = if it.recently_active.is_some() { ACTIVE } else { LATELY };
    let listing = Listing {
        account: cx.account(),
        region: cx.region.clone(),
        after: after.as_ref(),
        since: service.metrics.now() - lately,
        // With one more than the page holds it is clear whether there is another page.
        limit: PAGE + 1,
    };
    // There are no accounts but the caller's own that could be linked to it.
    let account = cx.account().to_string();
    let others = it.owning_account.as_ref().is_some_and(|owner| *owner != account);
    let list = || {
        service.metrics.look(|state| state.list(&listing, wanted).into_iter().cloned().collect())
    };
    let mut keys: Vec<MetricKey> = if others { Vec::new() } else { list() };
    let more = keys.len() > PAGE;
    keys.truncate(PAGE);
    let next_token = keys.last().filter(|_| more).map(write_token);
    let owners = it.include_linked_accounts == Some(true);
    let owning_accounts = owners.then(|| vec![account; keys.len()]);
    let metrics = Some(keys.iter().map(metric).collect());
    Ok(ListMetricsOutput { metrics, next_token, owning_accounts })
}

fn has(key: &MetricKey, filter: &DimensionFilter) -> bool {
    key.dimensions().iter().any(|dimension| {
        *dimension.name == *filter.name
            && filter.value.as_deref().is_none_or(|value| value == &*dimension.value)
    })
}

fn metric(key: &MetricKey) -> Metric {
    Metric {
        namespace: Some(key.namespace.to_string()),
        metric_name: Some(key.name.to_string()),
        dimensions: Some(names::write_dimensions(key.dimensions())),
    }
}

/// Between the texts of a token. No name has it: PutMetricData takes no control characters.
const BETWEEN: char = '\0';

/// A token is the last metric of the page before: nothing to keep, and nothing to expire.
fn write_token(key: &MetricKey) -> String {
    let mut texts = vec![&*key.namespace, &*key.name];
    texts.extend(key.dimensions().iter().flat_map(|one| [&*one.name, &*one.value]));
    token::write(&texts.join(&BETWEEN.to_string()))
}

fn read_token(cx: &Context<'_>, token: &str) -> Option<MetricKey> {
    let text = token::read(token)?;
    let texts: Vec<&str> = text.split(BETWEEN).collect();
    let [namespace, name, dimensions @ ..] = texts.as_slice() else { return None };
    let pairs = dimensions.chunks(2).map(|pair| match pair {
        [name, value] => Some(tidemill_metric::Dimension::new(name, value)),
        _ => None,
    });
    let dimensions = pairs.collect::<Option<_>>()?;
    Some(MetricKey::new(cx.account(), cx.region.clone(), namespace, name, dimensions))
}
