//! Pages: what was asked for, a part at a time. A token is the key of the last thing of the page
//! before: nothing is kept for one, and the next page begins after that key, whether what had it is
//! there still or not.

use tidemill_wire::Fault;

use super::fault;
use crate::token;

/// A part of a list.
pub(super) struct Page<T> {
    pub(super) items: Vec<T>,
    /// The token of the next one, if there is one.
    pub(super) next: Option<String>,
}

/// A page of `all`, in the order of their keys, which are all different and stay as they are; of so
/// many as are usual, or asked for up to the most.
pub(super) fn page<T>(
    mut all: Vec<(String, T)>,
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
    all.sort_by(|(one, _), (other, _)| one.cmp(other));
    if let Some(token) = token.filter(|token| !token.is_empty()) {
        let last = token::read(token).ok_or_else(fault::bad_token)?;
        let from = all.partition_point(|(key, _)| *key <= last);
        all.drain(..from);
    }
    let mut rest = all.into_iter().peekable();
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

#[cfg(test)]
mod tests {
    use super::*;

    fn keyed(names: &[&str]) -> Vec<(String, String)> {
        names.iter().map(|name| ((*name).to_owned(), (*name).to_owned())).collect()
    }

    #[test]
    fn the_next_page_begins_after_the_last_of_the_one_before_though_that_is_gone() {
        let first = page(keyed(&["c", "a", "b", "d"]), None, Some(2), (9, 9)).unwrap();
        assert_eq!(first.items, ["a", "b"]);
        let rest = page(keyed(&["d", "a", "c"]), first.next.as_deref(), None, (9, 9)).unwrap();
        assert_eq!((rest.items, rest.next), (vec!["c".to_owned(), "d".to_owned()], None));
        assert!(page(keyed(&["a"]), Some("nonsense"), None, (9, 9)).is_err());
    }
}
