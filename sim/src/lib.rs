//! The simulation: a whole engine, its journal and its recovery, in one thread and in an order
//! that a seed gave, on a disk that fails and a clock that jumps; beside it a naive model, and a
//! ledger of what clients were told. The same seed is the same run, to the byte. See
//! docs/reliability.md.

mod asked;
mod clients;
mod dice;
mod digest;
mod disk;
mod drain;
mod ledger;
mod pending;
mod plan;
mod restart;
mod stage;
mod tasks;
mod world;

use std::collections::BTreeMap;

pub use digest::Digest;
pub use disk::Break;

/// How one seed went.
#[derive(Debug)]
pub struct Outcome {
    /// Of all that was asked of the disk, and all that was answered.
    pub digest: Digest,
    /// What should not have been. Empty in a good run.
    pub violations: Vec<String>,
    /// What happened, and how often.
    pub totals: BTreeMap<&'static str, u64>,
}

/// Plays one seed.
pub fn play(seed: u64, broken: Option<Break>, is_loud: bool) -> Outcome {
    world::play(seed, broken, is_loud)
}

#[cfg(test)]
mod tests;
