//! Demand: traces of messages that come, played against the minds that scale workers.
//!
//! A play is a queue, its workers and a mind, under a clock that jumps from one event to the next:
//! an hour takes a second, and the same seed is the same play. Beside it stands an oracle that knew
//! what would come. `docs/scaling.md` shows what came of it.

#![expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "seconds and counts of one play, all of them small"
)]

mod mind;
mod oracle;
mod play;
mod plot;
mod result;
mod trace;

pub use mind::{Kind, Mind};
pub use oracle::Oracle;
pub use play::{Played, play};
pub use plot::draw;
pub use result::Score;
pub use trace::{Job, Trace, jobs};

/// How long a message may take.
pub const GOAL: f64 = 10.0;
/// How long a worker takes for a message, in the mean; the mean is told to the mind of AWS only.
pub const SERVICE: f64 = 0.1;
/// The most workers that a group may have.
pub const MOST: u32 = 60;
