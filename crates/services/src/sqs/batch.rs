//! What the three batch operations have in common: the checks of a batch as a whole, and the
//! answer that tells of each entry.

use tidemill_api::sqs::{BatchResultErrorEntry, errors};
use tidemill_wire::Fault;

use crate::context::Context;

use super::fault;

/// Most entries of a batch.
const MOST: usize = 10;
/// Most characters of an entry's id.
const LONGEST_ID: usize = 80;

/// The entries of a batch. Where a client can tell none from an empty list, it is told so.
pub(super) fn entries<T>(cx: &Context<'_>, given: Option<Vec<T>>) -> Result<Vec<T>, Fault> {
    match given {
        None if !cx.speaks_query() => Err(fault::missing_parameter("Entries")),
        given => Ok(given.unwrap_or_default()),
    }
}

/// Checks a batch's ids; `kind` is what AWS calls the entries.
pub(super) fn check<'a>(
    kind: &str,
    ids: impl ExactSizeIterator<Item = &'a str> + Clone,
) -> Result<(), Fault> {
    if ids.len() == 0 {
        return Err(Fault::new(
            &errors::EMPTY_BATCH_REQUEST,
            format!("There should be at least one {kind} in the request."),
        ));
    }
    if ids.len() > MOST {
        return Err(Fault::new(
            &errors::TOO_MANY_ENTRIES_IN_BATCH_REQUEST,
            format!(
                "Maximum number of entries per request are {MOST}. You have sent {}.",
                ids.len()
            ),
        ));
    }
    if !ids.clone().all(well_formed) {
        return Err(Fault::new(
            &errors::INVALID_BATCH_ENTRY_ID,
            "A batch entry id can only contain alphanumeric characters, hyphens and underscores. \
             It can be at most 80 letters long.",
        ));
    }
    // So few are compared sooner than hashed.
    let ids: Vec<&str> = ids.collect();
    let mut numbered = ids.iter().enumerate();
    match numbered.find(|(nth, id)| ids[..*nth].contains(id)).map(|(_, id)| id) {
        None => Ok(()),
        Some(id) => {
            Err(Fault::new(&errors::BATCH_ENTRY_IDS_NOT_DISTINCT, format!("Id {id} repeated.")))
        }
    }
}

fn well_formed(id: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    !id.is_empty() && id.len() <= LONGEST_ID && id.bytes().all(plain)
}

/// An entry that failed while others may have succeeded.
pub(super) fn failed(id: String, fault: &Fault) -> BatchResultErrorEntry {
    BatchResultErrorEntry {
        id,
        sender_fault: fault.error.sender,
        code: fault.error.code.to_owned(),
        message: Some(fault.message.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(ids: &[&str]) -> Option<String> {
        check("Entry", ids.iter().copied()).err().map(|fault| fault.error.code.to_owned())
    }

    #[test]
    fn one_to_ten_different_ids_are_a_batch() {
        assert_eq!(code(&["a", "b-_9"]), None);
        assert_eq!(code(&[]).unwrap(), "AWS.SimpleQueueService.EmptyBatchRequest");
        let twelve = ["x"; 12];
        assert_eq!(code(&twelve).unwrap(), "AWS.SimpleQueueService.TooManyEntriesInBatchRequest");
        assert_eq!(code(&["a", "a"]).unwrap(), "AWS.SimpleQueueService.BatchEntryIdsNotDistinct");
        for bad in ["", "a:b", &"a".repeat(81)] {
            let answered = code(&[bad]).unwrap();
            assert_eq!(answered, "AWS.SimpleQueueService.InvalidBatchEntryId", "{bad:?}");
        }
    }
}
