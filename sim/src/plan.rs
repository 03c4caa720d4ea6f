//! What a seed's run is like. No two are alike: where everything happens all the time, some things
//! never happen together.

use tidemill_base::ByteSize;
use tidemill_journal::SyncMode;

use crate::dice::Dice;

/// How often what happens: of so many steps one; 0 for never.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) steps: usize,
    /// How many requests are open at a time.
    pub(crate) clients: usize,
    pub(crate) segment: ByteSize,
    pub(crate) sync: SyncMode,
    pub(crate) longest_body: u64,
    /// The weights of what may be next: see [`Next`].
    pub(crate) weights: [(Next, u64); 10],
    /// Something goes wrong with the disk.
    pub(crate) faults: u64,
    /// The process is killed, or the machine; or the service stops.
    pub(crate) ends: u64,
    /// The clock goes back now and then.
    pub(crate) goes_back: bool,
    /// How far the clock goes at most, in seconds.
    pub(crate) stride: u64,
}

/// What may be next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    Go,
    Ask,
    Round,
    Clock,
    House,
    Moves,
    Cancel,
    Poke,
    Compare,
    Tick,
}

impl Plan {
    pub(crate) fn new(dice: &Dice) -> Self {
        let weights = [
            (Next::Go, 30 + dice.below(30)),
            (Next::Ask, 15 + dice.below(30)),
            (Next::Round, 2 + dice.below(20)),
            (Next::Clock, 1 + dice.below(8)),
            (Next::House, dice.below(5)),
            (Next::Moves, 1 + dice.below(5)),
            (Next::Cancel, dice.below(3)),
            (Next::Poke, dice.below(3)),
            (Next::Compare, 2),
            (Next::Tick, 1),
        ];
        Self {
            steps: 300 + dice.index(700),
            clients: dice.of(&[1, 4, 8, 16, 30]),
            segment: ByteSize::kib(dice.of(&[4, 8, 16, 64])),
            sync: if dice.once_in(6) { SyncMode::Written } else { SyncMode::Durable },
            longest_body: dice.of(&[20, 300, 1500]),
            weights,
            faults: dice.of(&[0, 0, 40, 100, 300]),
            ends: dice.of(&[0, 60, 150, 400]),
            goes_back: dice.once_in(5),
            stride: dice.of(&[5, 40, 400, 200_000]),
        }
    }

    pub(crate) fn next(&self, dice: &Dice) -> Next {
        let all = self.weights.iter().map(|(_, weight)| weight).sum();
        let mut at = dice.below(all);
        for (next, weight) in &self.weights {
            if at < *weight {
                return *next;
            }
            at -= weight;
        }
        Next::Go
    }
}
