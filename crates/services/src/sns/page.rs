//! Lists, a page at a time: a token says what the page before ended with.

use tidemill_wire::Fault;

use super::fault;
use crate::token;

/// Most things of a page.
pub(super) const SIZE: usize = 100;

/// What the page before ended with, as `read` takes it.
pub(super) fn after<T>(
    given: Option<&str>,
    read: impl FnOnce(&str) -> Option<T>,
) -> Result<Option<T>, Fault> {
    let Some(given) = given.filter(|token| !token.is_empty()) else { return Ok(None) };
    let found = token::read(given).and_then(|text| read(&text));
    found.map(Some).ok_or_else(|| fault::invalid("NextToken"))
}

/// Cuts what was found, one more than a page has if there are as many, to the page. Gives the token
/// of the next one, if there is one.
pub(super) fn cut<T>(found: &mut Vec<T>, name: impl FnOnce(&T) -> String) -> Option<String> {
    let more = found.len() > SIZE;
    found.truncate(SIZE);
    found.last().filter(|_| more).map(|last| token::write(&name(last)))
}
