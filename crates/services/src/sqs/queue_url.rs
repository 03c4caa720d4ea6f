//! Queue URLs: how a queue is named on the wire, written and read.
//!
//! They read `BASE/ACCOUNT/NAME` in the default region and `BASE/queue/REGION/ACCOUNT/NAME` in
//! any other, BASE being the host that the client used: some clients send to the URL's host and
//! not to their endpoint. Read, the host does not matter, and a bare name will do, as on AWS.

use std::fmt;

use tidemill_base::{AccountId, QueueName, Region};
use tidemill_queue::QueueKey;

use crate::context::BaseUrl;

/// Not a way to name a queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BadQueueUrl;

/// A queue's URL, to be written.
pub(crate) struct QueueUrl<'a> {
    pub(crate) base: BaseUrl<'a>,
    pub(crate) key: &'a QueueKey,
}

impl fmt::Display for QueueUrl<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { base, key: QueueKey { account, region, name } } = self;
        if region.as_str() == Region::DEFAULT {
            write!(f, "{base}/{account}/{name}")
        } else {
            write!(f, "{base}/queue/{region}/{account}/{name}")
        }
    }
}

/// Reads the ways to name a queue: a URL with any host, its path alone, or the queue's name.
/// Account and region are the caller's where the text names none.
pub(crate) fn read(
    text: &str,
    account: AccountId,
    region: &Region,
) -> Result<QueueKey, BadQueueUrl> {
    let schemes = ["http://", "https://"];
    let path = match schemes.iter().find_map(|scheme| text.strip_prefix(scheme)) {
        Some(rest) => &rest[rest.bytes().position(|byte| byte == b'/').ok_or(BadQueueUrl)? + 1..],
        None => text,
    };
    let mut parts = steps(path);
    let parts = [parts.next(), parts.next(), parts.next(), parts.next(), parts.next()];
    let (region_part, account_part, name) = match parts {
        [Some("queue"), Some(region), Some(account), Some(name), None] => {
            (Some(region), Some(account), name)
        }
        [Some("queue"), Some(account), Some(name), None, None]
        | [Some(account), Some(name), None, None, None]
            if account != "queue" =>
        {
            (None, Some(account), name)
        }
        [Some("queue"), Some(name), None, None, None] | [Some(name), None, None, None, None] => {
            (None, None, name)
        }
        _ => return Err(BadQueueUrl),
    };
    Ok(QueueKey {
        account: account_part.map_or(Ok(account), str::parse).map_err(|_| BadQueueUrl)?,
        region: region_part
            .map_or(Ok(region.clone()), str::parse::<Region>)
            .map_err(|_| BadQueueUrl)?,
        name: name.parse::<QueueName>().map_err(|_| BadQueueUrl)?,
    })
}

/// What stands between the slashes of a path, but for what is empty. A search for a letter takes
/// longer to begin than these few bytes to look at.
fn steps(path: &str) -> impl Iterator<Item = &str> {
    let mut rest = path;
    std::iter::from_fn(move || {
        let begin = rest.bytes().position(|byte| byte != b'/')?;
        let from = &rest[begin..];
        let end = from.bytes().position(|byte| byte == b'/').unwrap_or(from.len());
        let (step, after) = from.split_at(end);
        rest = after;
        Some(step)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(account: &str, region: &str, name: &str) -> QueueKey {
        QueueKey {
            account: account.parse().unwrap(),
            region: region.parse().unwrap(),
            name: name.parse().unwrap(),
        }
    }

    fn read_home(text: &str) -> Result<QueueKey, BadQueueUrl> {
        read(text, "000000000007".parse().unwrap(), &"eu-west-1".parse().unwrap())
    }

    #[test]
    fn a_written_url_reads_back() {
        for region in ["us-east-1", "eu-west-1"] {
            let key = key("123456789012", region, "orders");
            let base = BaseUrl { scheme: "http", host: "localhost:4566" };
            let url = QueueUrl { base, key: &key }.to_string();
            let read = read(&url, AccountId::DEFAULT, &region.parse().unwrap());
            assert_eq!(read, Ok(key), "{url}");
        }
    }

    #[test]
    fn the_host_does_not_matter_and_a_name_will_do() {
        let home = key("000000000007", "eu-west-1", "orders");
        let other = key("123456789012", "eu-west-1", "orders");
        let away = key("123456789012", "us-west-2", "orders");
        for (text, meant) in [
            ("orders", &home),
            ("/queue/orders", &home),
            ("https://sqs.us-east-2.amazonaws.com/123456789012/orders", &other),
            ("http://x:1/queue/123456789012/orders", &other),
            ("http://x/queue/us-west-2/123456789012/orders", &away),
            ("/123456789012/orders/", &other),
        ] {
            assert_eq!(read_home(text).as_ref(), Ok(meant), "{text}");
        }
    }

    #[test]
    fn what_names_no_queue_is_refused() {
        for text in [
            "",
            "/",
            "http://x",
            "http://x/",
            "http://x/12/a",
            "a b",
            "1/2/3/4/5",
            "http://x/a/b/c",
        ] {
            assert_eq!(read_home(text), Err(BadQueueUrl), "{text:?}");
        }
    }
}
