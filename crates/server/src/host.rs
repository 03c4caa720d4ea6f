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
    let forwarded = |name: &str| {
        let value = if app.settings.trust_forwarded { headers.text(name) } else { None };
        // Of a chain of proxies the first one spoke to the client.
        value?.split(',').map(str::trim).next().filter(|first| !first.is_empty())
    };
    let ours = if app.settings.tls.is_some() { "https" } else { "http" };
    let scheme = forwarded("x-forwarded-proto").unwrap_or(ours);
    let host = forwarded("x-forwarded-host").or_else(|| headers.text(HOST));
    // HTTP/1.0 asks for no host.
    BaseUrl { scheme, host: host.filter(|host| !host.is_empty()).unwrap_or("localhost") }
}
