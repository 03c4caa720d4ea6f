//! A journal without a thread of its own: whoever holds its hand says when it writes and syncs.
//!
//! A run in which only one thread does anything, and does it in an order that a seed gave, can be
//! played again to the byte. Everything but the resting between two rounds is what the sync thread
//! does.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use crate::checkpoint::Checkpoints;
use crate::writer::Writer;

/// Drives the journal that was last opened with it, in place of a sync thread. Clones are the same
/// hand.
#[derive(Clone, Default)]
pub struct Hand(Arc<Mutex<Held>>);

#[derive(Default)]
struct Held {
    writer: Weak<Writer>,
    checkpoints: Weak<Checkpoints>,
}

impl Hand {
    /// A hand that holds nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Writes and syncs what was appended so far, and wakes those who waited for it. Nothing
    /// happens once the journal is poisoned, closed or gone.
    ///
    /// Not to be called from below, by a driver that is in the middle of an append or a sync.
    pub fn round(&self) {
        let (writer, checkpoints) = {
            let held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            (held.writer.upgrade(), held.checkpoints.upgrade())
        };
        if let Some((writer, checkpoints)) = writer.zip(checkpoints) {
            writer.round_by_hand(&checkpoints);
        }
    }

    pub(crate) fn hold(&self, writer: &Arc<Writer>, checkpoints: &Arc<Checkpoints>) {
        let held =
            Held { writer: Arc::downgrade(writer), checkpoints: Arc::downgrade(checkpoints) };
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = held;
    }
}

impl fmt::Debug for Hand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hand")
    }
}
