//! Path templates: `/v2/things/{Name}/parts/{Rest+}?list`.

use crate::call::Head;
use crate::form;

/// Whether the path and query of `head` fit the template `uri`: then, how many of its steps are
/// fixed.
pub(crate) fn fits(uri: &str, head: &Head<'_>) -> Option<usize> {
    let (path, query) = uri.split_once('?').unwrap_or((uri, ""));
    let mut fixed = 0;
    labels(path, head.path, &mut |label, _| fixed += usize::from(label.is_none()))?;
    let wanted = form::pairs(query.as_bytes()).ok()?;
    let given = form::pairs(head.query.unwrap_or_default().as_bytes()).ok()?;
    if !wanted.iter().all(|pair| given.contains(pair)) {
        return None;
    }
    Some(fixed + wanted.len())
}

/// Goes along `path` and its template, and tells each step and the label that it fills, if any.
pub(super) fn labels<'a>(
    template: &'a str,
    path: &'a str,
    each: &mut dyn FnMut(Option<&'a str>, &'a str),
) -> Option<()> {
    let mut rest = path.strip_prefix('/')?.trim_end_matches('/');
    let template = template.strip_prefix('/')?.trim_end_matches('/');
    let count = template.split('/').count();
    for (at, step) in template.split('/').enumerate() {
        let label = step.strip_prefix('{').and_then(|label| label.strip_suffix('}'));
        let greedy = label.is_some_and(|label| label.ends_with('+'));
        let last = at + 1 == count;
        let (value, next) = if greedy {
            // It takes all but what the fixed steps behind it need.
            let behind = count - at - 1;
            let cut = rest.rmatch_indices('/').nth(behind.wrapping_sub(1)).map(|(at, _)| at);
            match (behind, cut) {
                (0, _) => (rest, ""),
                (_, cut) => (&rest[..cut?], &rest[cut? + 1..]),
            }
        } else {
            match rest.split_once('/') {
                Some(_) if last => return None,
                Some(parts) => parts,
                None if last => (rest, ""),
                None => return None,
            }
        };
        match label {
            Some(_) if value.is_empty() => return None,
            None if value != step => return None,
            _ => each(label.map(|label| label.trim_end_matches('+')), value),
        }
        rest = next;
    }
    Some(())
}
