//! Lists of queues, a page at a time.

use tidemill_base::QueueName;
use tidemill_queue::QueueKey;
use tidemill_wire::Fault;

use super::fault;
use crate::token;

/// Most queues of one page, and of an answer that is not paged.
const MOST: usize = 1000;

/// Which part of a list is asked for.
pub(super) struct Page {
    /// At most so many.
    limit: usize,
    /// Whether the caller wants to be told how to go on: AWS does so only if asked for a number.
    paged: bool,
    /// Those behind this one.
    pub(super) after: Option<QueueName>,
}

impl Page {
    /// Reads MaxResults and NextToken. A number of 0 is as good as none.
    pub(super) fn read(number: Option<i32>, token: Option<&str>) -> Result<Self, Fault> {
        let number = number.filter(|number| *number != 0);
        let limit = number.map_or(Some(MOST), |number| usize::try_from(number).ok());
        let limit = limit.filter(|limit| *limit <= MOST).ok_or_else(|| {
            fault::invalid(format!(
                "Value for parameter MaxResults is invalid. Reason: MaxResults must be an integer \
                 between 1 and {MOST}."
            ))
        })?;
        let token = token.filter(|token| !token.is_empty());
        let after = token.map(|token| read_token(token).ok_or_else(expired)).transpose()?;
        Ok(Self { limit, paged: number.is_some(), after })
    }

    /// How many queues to look for: with one more than the page holds it is clear how to go on.
    pub(super) fn wanted(&self) -> usize {
        self.limit + 1
    }

    /// Cuts what was found to the page. Gives the token of the next one, if there is one.
    pub(super) fn cut(&self, found: &mut Vec<QueueKey>) -> Option<String> {
        let more = found.len() > self.limit;
        found.truncate(self.limit);
        found.last().filter(|_| more && self.paged).map(|key| write_token(&key.name))
    }
}

/// A token is the last name of the page before: nothing to keep, and nothing to expire.
fn write_token(name: &QueueName) -> String {
    token::write(name.as_str())
}

fn read_token(token: &str) -> Option<QueueName> {
    token::read(token)?.parse().ok()
}

fn expired() -> Fault {
    fault::invalid("Invalid or expired next token.")
}

#[cfg(test)]
mod tests {
    use tidemill_base::{AccountId, Region};

    use super::*;

    fn keys(names: &[&str]) -> Vec<QueueKey> {
        let (account, region) = (AccountId::DEFAULT, Region::default());
        let key =
            |name: &&str| QueueKey { account, region: region.clone(), name: name.parse().unwrap() };
        names.iter().map(key).collect()
    }

    #[test]
    fn a_page_ends_with_a_token_if_there_is_more_and_a_number_was_given() {
        let page = Page::read(Some(2), None).unwrap();
        let mut found = keys(&["a", "b", "c"]);
        let token = page.cut(&mut found).unwrap();
        assert_eq!(found, keys(&["a", "b"]));
        let next = Page::read(Some(2), Some(&token)).unwrap();
        assert_eq!(next.after.as_ref().unwrap().as_str(), "b");
        assert_eq!(next.cut(&mut keys(&["c"])), None);
        let whole = Page::read(None, None).unwrap();
        assert_eq!(whole.wanted(), 1001);
    }

    #[test]
    fn what_is_no_number_of_results_or_no_token_is_refused() {
        for number in [-1, 1001, i32::MIN] {
            assert!(Page::read(Some(number), None).is_err(), "{number}");
        }
        for token in ["invalidtoken", "1zz", "1ff", "261"] {
            assert!(Page::read(None, Some(token)).is_err(), "{token}");
        }
        assert!(Page::read(Some(0), Some("")).is_ok());
    }
}
