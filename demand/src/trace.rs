//! Traces: how many messages come when, and each of them by a seed.

use std::f64::consts::TAU;

use tidemill_base::Chance;

use crate::SERVICE;

/// How the load changes in the course of a trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trace {
    /// 5 messages a second, then 105, then 5 again.
    Step,
    /// From 5 to 200 messages a second and back, a quarter of an hour each.
    Ramp,
    /// 10 messages a second, and once 300 for 20 seconds.
    Spike,
    /// Between 10 and 150 messages a second and back, twice, half an hour each.
    Day,
    /// 2 messages a second and 60 in turns, two minutes each.
    OnOff,
    /// None, then 30 messages a second, then none.
    FromZero,
}

/// A message: when it comes, and how long a worker will take for it; in seconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Job {
    /// When it comes.
    pub at: f64,
    /// How long a worker takes.
    pub takes: f64,
}

impl Trace {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Step, Self::Ramp, Self::Spike, Self::Day, Self::OnOff, Self::FromZero];

    /// What it is called.
    pub fn name(self) -> &'static str {
        match self {
            Self::Step => "step",
            Self::Ramp => "ramp",
            Self::Spike => "spike",
            Self::Day => "day",
            Self::OnOff => "on-off",
            Self::FromZero => "from zero",
        }
    }

    /// How long it is, in seconds.
    pub fn length(self) -> f64 {
        match self {
            Self::Step | Self::Ramp => 2100.0,
            Self::Spike => 1200.0,
            Self::Day => 3600.0,
            Self::OnOff => 1440.0,
            Self::FromZero => 1500.0,
        }
    }

    /// Messages a second at a time.
    pub fn rate(self, at: f64) -> f64 {
        match self {
            Self::Step if (300.0..1500.0).contains(&at) => 105.0,
            Self::Step => 5.0,
            Self::Ramp if at < 900.0 => 5.0 + at / 900.0 * 195.0,
            Self::Ramp if at < 1200.0 => 200.0,
            Self::Ramp => 200.0 - (at - 1200.0) / 900.0 * 195.0,
            Self::Spike if (400.0..420.0).contains(&at) => 300.0,
            Self::Spike => 10.0,
            Self::Day => 80.0 - 70.0 * (at / 1800.0 * TAU).cos(),
            Self::OnOff if (at / 120.0) as u32 % 2 == 1 => 60.0,
            Self::OnOff => 2.0,
            Self::FromZero if (300.0..1200.0).contains(&at) => 30.0,
            Self::FromZero => 0.0,
        }
    }

    /// How often the load goes another way: a fleet has no reason to do so more often.
    pub fn changes(self) -> usize {
        match self {
            Self::Step | Self::Ramp | Self::Spike | Self::FromZero => 2,
            Self::Day => 4,
            Self::OnOff => 11,
        }
    }

    /// When the load grows at once.
    pub fn jumps(self) -> Vec<f64> {
        match self {
            Self::Step | Self::FromZero => vec![300.0],
            Self::Spike => vec![400.0],
            Self::OnOff => (0..6).map(|pair| 120.0 + f64::from(pair) * 240.0).collect(),
            Self::Ramp | Self::Day => Vec::new(),
        }
    }

    /// Whether the goals of the fast mind are for this one.
    pub fn is_held_to_goals(self) -> bool {
        matches!(self, Self::Step | Self::Ramp | Self::Day)
    }
}

/// The messages of a trace, in order. They come one by one, each whenever it likes (a Poisson
/// process); half of a service time is the same for all, the other half exponential.
pub fn jobs(trace: Trace, seed: u64) -> Vec<Job> {
    let chance = Chance::seeded(seed);
    // More than any trace has.
    let densest = 300.0;
    let (mut jobs, mut at) = (Vec::new(), 0.0);
    loop {
        at += exponential(&chance) / densest;
        if at >= trace.length() {
            return jobs;
        }
        if part(&chance) * densest < trace.rate(at) {
            let takes = SERVICE * (0.5 + 0.5 * exponential(&chance));
            jobs.push(Job { at, takes });
        }
    }
}

/// A number from 0 up to 1, without it.
pub(crate) fn part(chance: &Chance) -> f64 {
    (chance.number() >> 11) as f64 / (1_u64 << 53) as f64
}

fn exponential(chance: &Chance) -> f64 {
    -(1.0 - part(chance)).ln()
}
