//! What people ask of a group that is scaled fast.

use std::time::Duration;

use crate::Limits;

/// What a group is held to. [`Policy::new`] fills in what suits most.
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    /// The fewest and the most workers.
    pub limits: Limits,
    /// How long a message may take from becoming visible to being deleted. Workers are planned so
    /// that half of it is used up at most.
    pub goal: Duration,
    /// How many workers more than the load takes, as a share of them: 0.05 is one in twenty.
    pub headroom: f64,
    /// A worker goes when none of the looks of so long would have needed it. A boot's length counts
    /// instead if that is longer: to start again would take that.
    pub hold: Duration,
    /// After so long without a message the group goes down to its smallest size, zero if it may.
    pub idle: Duration,
    /// How long a worker that is to go may finish what it holds.
    pub drain: Duration,
    /// What is taken for true until it was seen.
    pub guess: Guess,
}

/// What is taken for true until it was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Guess {
    /// How long a launch takes until the worker asks for its first message.
    pub boot: Duration,
    /// How long a worker takes for a message. Unknown, one worker is started to find out.
    pub service: Option<Duration>,
}

impl Policy {
    /// A goal of ten seconds, and what was found to do well: see `docs/scaling.md`.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            goal: Duration::from_secs(10),
            headroom: 0.05,
            hold: Duration::from_secs(30),
            idle: Duration::from_mins(1),
            drain: Duration::from_mins(2),
            guess: Guess { boot: Duration::from_secs(2), service: None },
        }
    }
}
