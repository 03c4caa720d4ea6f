//! Pages: what was asked for, a part at a time. A token is the key of the last thing of the page
//! before: nothing is kept for one.

use tidemill_wire::Fault;

use super::fault;
use crate::token;

/// A part of a list.
pub(super) struct Page<T> {
    pub(super) items: Vec<T>,
    /// The token of the next one, if there is one.
    pub(super) next: Option<String>,
}

/// A page of `all`, of which each has a key, in its order; of so many as are usual, or asked for up
/// to the most.
pub(super) fn page<T>(
    all: Vec<(String, T)>,
    token: Option<&str>,
    size: Option<i32>,
    (usual, most): (usize, usize),
) -> Result<Page<T>, Fault> {
    let size = match size {
        None => usual,
        Some(size) => {
            let found = usize::try_from(size).ok().filter(|size| (1..=most).contains(size));
            found.ok_or_else(|| {
                fault::validation(format!("MaxRecords is 1 to {most}, and not {size}."))
            })?
        }
    };
    let mut rest = all.into_iter().peekable();
    if let Some(token) = token.filter(|token| !token.is_empty()) {
        let last = token::read(token).ok_or_else(fault::bad_token)?;
        // What the page before ended with may be gone by now: then its token is none any more.
        let mut kept: Vec<_> = rest.collect();
        let from = kept.iter().position(|(key, _)| *key == last);
        let from = from.ok_or_else(fault::bad_token)?;
        rest = kept.split_off(from + 1).into_iter().peekable();
    }
    let mut items = Vec::new();
    let mut last = None;
    for (key, item) in rest.by_ref().take(size) {
        last = Some(key);
        items.push(item);
    }
    let more = rest.peek().is_some();
    let next = last.filter(|_| more).map(|key| token::write(&key));
    Ok(Page { items, next })
}
