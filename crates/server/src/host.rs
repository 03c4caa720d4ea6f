//! Under which scheme and host a client reached us: queue URLs carry it, so that whoever sends
//! to a queue's URL arrives. And whether that is a name of ours: a page in a browser can have its
//! own name lead to this machine, and is then free to ask whatever it likes under that name.

use std::net::IpAddr;

use http::header::HOST;
use tidemill_base::Headers;
use tidemill_services::BaseUrl;

use crate::app::App;

/// The scheme and host that queue URLs begin with.
pub(crate) fn base_url<'a>(app: &'a App, headers: Headers<'a>) -> BaseUrl<'a> {
    if let Some((scheme, host)) = &app.settings.public_url {
        return BaseUrl { scheme, host };
    }
    let ours = if app.settings.tls.is_some() { "https" } else { "http" };
    let scheme = forwarded(app, headers, "x-forwarded-proto").unwrap_or(ours);
    let host = forwarded(app, headers, FORWARDED_HOST).or_else(|| headers.text(HOST));
    // HTTP/1.0 asks for no host.
    BaseUrl { scheme, host: host.filter(|host| !host.is_empty()).unwrap_or("localhost") }
}

const FORWARDED_HOST: &str = "x-forwarded-host";

/// What a proxy says, if it is to be believed.
fn forwarded<'a>(app: &App, headers: Headers<'a>, name: &str) -> Option<&'a str> {
    let value = if app.settings.trust_forwarded { headers.text(name) } else { None };
    // Of a chain of proxies the first one spoke to the client.
    value?.split(',').map(str::trim).next().filter(|first| !first.is_empty())
}

/// Refuses whoever reached an open service under a name that may be somebody else's; says why. One
/// with keys needs no such thing: signatures are over the host.
pub(crate) fn check(app: &App, headers: Headers<'_>) -> Result<(), String> {
    let settings = &app.settings;
    let is_ours = |host: &str| {
        let name = name(host);
        let public = settings.public_url.as_ref().map(|(_, host)| self::name(host));
        let allowed = |allowed: &String| {
            is_under(name, self::name(allowed.strip_prefix('.').unwrap_or(allowed)))
        };
        public.is_some_and(|public| public.eq_ignore_ascii_case(name))
            || settings.allow_host.iter().any(allowed)
    };
    let mut claimed = headers.text(HOST).into_iter().chain(forwarded(app, headers, FORWARDED_HOST));
    match claimed.find(|host| !is_at_home(host) && !is_ours(host)) {
        None => Ok(()),
        Some(host) => {
            let name = name(host);
            Err(format!(
                "{name} may be somebody else's name: use localhost or an address, or start the \
                 service with --allow-host {name}"
            ))
        }
    }
}

/// Whether a host, with its port or without, is an address, or a name that no public name server
/// has: one without a dot, or under a suffix that is kept for names at home.
pub(crate) fn is_at_home(host: &str) -> bool {
    const SUFFIXES: [&str; 5] = ["localhost", "internal", "local", "test", "home.arpa"];
    let name = name(host);
    let address = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
    address.parse::<IpAddr>().is_ok()
        || !name.contains('.')
        || SUFFIXES.iter().any(|suffix| is_under(name, suffix))
}

/// A host without its port, and without the dot that may end a whole name.
fn name(host: &str) -> &str {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|it| it.is_ascii_digit()) => name,
        _ => host,
    };
    name.strip_suffix('.').unwrap_or(name)
}

/// Whether a name is another one, or under it.
fn is_under(name: &str, other: &str) -> bool {
    let Some(start) = name.len().checked_sub(other.len()) else { return false };
    name.is_char_boundary(start)
        && name[start..].eq_ignore_ascii_case(other)
        && (start == 0 || name[..start].ends_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_names_that_nobody_else_can_have_are_at_home() {
        for host in [
            "",
            "localhost",
            "LOCALHOST:4566",
            "127.0.0.1:4566",
            "[::1]:4566",
            "[::1]",
            "tidemill:4566",
            "orders.localhost:4566",
            "host.docker.internal",
            "mill.local.",
            "nas.home.arpa:80",
        ] {
            assert!(is_at_home(host), "{host}");
        }
        for host in [
            "evil.example",
            "evil.example:4566",
            "127.0.0.1.evil.example",
            "localhost.evil.example:80",
            "notlocalhost.example",
            "evil.mylocal",
            "1.2.3.4.5",
            "[::1].evil.example",
            "evil.example.",
            "é.example",
        ] {
            assert!(!is_at_home(host), "{host}");
        }
    }

    #[test]
    fn a_name_is_under_itself_and_those_that_it_ends_with() {
        assert!(is_under("a.Example.org", "example.org"));
        assert!(is_under("example.org", "example.org"));
        assert!(!is_under("anexample.org", "example.org"));
        assert!(!is_under("org", "example.org"));
    }
}
