//! Under which scheme and host a client reached us: queue URLs carry it, so that whoever sends
//! to a queue's URL arrives.

use http::header::HOST;
use http::request::Parts;

use crate::app::App;

/// The scheme and host that queue URLs begin with; no slash at the end.
pub(crate) fn base_url(app: &App, parts: &Parts) -> String {
    if let Some(url) = &app.settings.public_url {
        return url.clone();
    }
    let header = |name: &str| {
        let value = parts.headers.get(name)?.to_str().ok()?;
        // Of a chain of proxies the first one spoke to the client.
        let first = value.split(',').next()?.trim();
        (!first.is_empty()).then_some(first)
    };
    let forwarded = |name| if app.settings.trust_forwarded { header(name) } else { None };
    let ours = if app.settings.tls.is_some() { "https" } else { "http" };
    let scheme = forwarded("x-forwarded-proto").unwrap_or(ours);
    let host = forwarded("x-forwarded-host").or_else(|| header(HOST.as_str()));
    match host {
        Some(host) => format!("{scheme}://{host}"),
        None => format!("{scheme}://{}", app.settings.listen),
    }
}
