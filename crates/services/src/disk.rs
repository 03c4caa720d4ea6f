//! A disk that fails, hangs or is nearly full, in the words that every service has for it. Which
//! error says them is in a service's own model.

use tidemill_queue::Failure;
use tidemill_wire::{ErrorShape, Fault};

/// What the disk does not allow now. `internal` is the error for what only a new start mends,
/// `unavailable` that for what may be tried again.
pub(crate) fn of_failure(
    failure: &Failure,
    internal: &'static ErrorShape,
    unavailable: &'static ErrorShape,
) -> Fault {
    match failure {
        Failure::Poisoned(_) => failed(internal),
        Failure::Stalled { .. } => {
            Fault::new(unavailable, "the disk does not answer; no change is accepted until it does")
        }
        Failure::Full { .. } => Fault::new(
            unavailable,
            "the disk is nearly full; nothing is taken in until there is room, and messages can \
             still be received and deleted",
        ),
        Failure::Checkpoint(_) => Fault::new(internal, "a checkpoint could not be stored"),
    }
}

/// Nothing more can be written down.
pub(crate) fn failed(internal: &'static ErrorShape) -> Fault {
    Fault::new(
        internal,
        "the disk failed; nothing more is accepted until the service is started again",
    )
}
