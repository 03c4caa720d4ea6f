//! Under which scheme and host a client reached us: queue URLs carry it, so that whoever sends
//! to a queue's URL arrives.

use http::header::HOST;
use tidemill_base::Headers;
use tidemill_services::BaseUrl;

use crate::app::App;

/// The scheme and host that queue URLs begin with.
pub(crate) fn base_url<'a>(app: &'a App, headers: Headers<'a>) -> BaseUrl<'a> {
    if let Some((scheme, host)) = &app.settings.public_url {
        return BaseUrl { scheme, host };
    }
    let header = |name: &str| {
        let value = headers.text(name)?;
        // Of a chain of proxies the first one spoke to the client.
        let first = value.split(',').next()?.trim();
        (!first.is_empty()).then_some(first)
    };
    let forwarded = |name| if app.settings.trust_forwarded { header(name) } else { None };
    let ours = if app.settings.tls.is_some() { "https" } else { "http" };
    let scheme = forwarded("x-forwarded-proto").unwrap_or(ours);
    let host = forwarded("x-forwarded-host").or_else(|| header(HOST.as_str()));
    // HTTP/1.0 asks for no host.
    BaseUrl { scheme, host: host.unwrap_or("localhost") }
}
