//! What DeleteMessage and ChangeMessageVisibility have in common: they act on messages by their
//! receipt handles, some of which may fail where others do not.

use tidemill_api::sqs::BatchResultErrorEntry;
use tidemill_queue::{Error, Receipt, Refusal};
use tidemill_wire::Fault;

use super::{batch, fault};

/// What the engine answers: whether it could act at all, and what became of each message.
type Acted = Result<Vec<Result<(), Refusal>>, Error>;

/// Reads a receipt handle.
pub(super) fn read(handle: &str) -> Result<Receipt, Fault> {
    if handle.trim().is_empty() {
        return Err(fault::missing_parameter("ReceiptHandle"));
    }
    Receipt::parse(handle).map_err(|_| fault::bad_receipt(handle))
}

/// A batch's entries: those that can be read are acted on together, the others have failed.
pub(super) struct Entries<T> {
    /// What the engine is asked to act on.
    pub(super) readable: Vec<T>,
    /// Id and receipt handle of each of those, in the same order.
    named: Vec<(String, String)>,
    failed: Vec<BatchResultErrorEntry>,
}

impl<T> Entries<T> {
    /// Takes the entries: id, receipt handle, and what was read of the entry.
    pub(super) fn of(entries: impl Iterator<Item = (String, String, Result<T, Fault>)>) -> Self {
        let mut found = Self { readable: Vec::new(), named: Vec::new(), failed: Vec::new() };
        for (id, handle, read) in entries {
            match read {
                Ok(readable) => {
                    found.readable.push(readable);
                    found.named.push((id, handle));
                }
                Err(fault) => found.failed.push(batch::failed(id, &fault)),
            }
        }
        found
    }

    /// The ids of those that succeeded, and the failures, of all entries.
    pub(super) fn told(
        mut self,
        acted: Acted,
    ) -> Result<(Vec<String>, Vec<BatchResultErrorEntry>), Fault> {
        let results = acted.map_err(|it| fault::of(it, ""))?;
        let mut successful = Vec::with_capacity(results.len());
        for ((id, handle), result) in self.named.into_iter().zip(results) {
            match result {
                Ok(()) => successful.push(id),
                Err(refusal) => {
                    self.failed.push(batch::failed(id, &fault::of(refusal.into(), &handle)));
                }
            }
        }
        Ok((successful, self.failed))
    }
}
