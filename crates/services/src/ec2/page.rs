//! Pages: what was asked for, a part at a time. A token is the key of the last thing of the page
//! before: nothing to keep, and nothing to expire.

use tidemill_api::ec2::errors;
use tidemill_wire::Fault;

use super::fault;
use crate::token;

/// A page of what `all` lists in the order of its keys, and the token of the next one.
pub(super) fn page<T>(
    all: Vec<(String, T)>,
    token: Option<&str>,
    (given, least, most): (Option<i32>, usize, usize),
) -> Result<(Vec<T>, Option<String>), Fault> {
    let size = match given {
        None => usize::MAX,
        Some(size) => usize::try_from(size)
            .ok()
            .filter(|size| (least..=most).contains(size))
            .ok_or_else(|| {
                fault::invalid(format!(
                    "Value ( {size} ) for parameter maxResults is invalid. Expecting a value \
                     between {least} and {most}."
                ))
            })?,
    };
    let after = token.filter(|token| !token.is_empty()).map(read).transpose()?;
    let mut rest = all
        .into_iter()
        .filter(|(key, _)| after.as_ref().is_none_or(|after| key > after))
        .collect::<Vec<_>>();
    let next = match rest.get(size.saturating_sub(1)) {
        Some((last, _)) if rest.len() > size => Some(token::write(last)),
        _ => None,
    };
    rest.truncate(size);
    Ok((rest.into_iter().map(|(_, one)| one).collect(), next))
}

fn read(token: &str) -> Result<String, Fault> {
    token::read(token)
        .ok_or_else(|| Fault::new(&errors::INVALID_NEXT_TOKEN, "The next token is invalid."))
}
