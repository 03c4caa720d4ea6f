//! What is made of a play: numbers to compare, and whether they are good enough.

use crate::{GOAL, Oracle, Played, SERVICE, Trace};

/// How a mind did.
#[derive(Clone, Debug, PartialEq)]
pub struct Score {
    /// The share of messages that took longer than their goal.
    pub late: f64,
    /// What 99 of 100 messages took at most, in seconds.
    pub p99: f64,
    /// Instance-seconds.
    pub cost: f64,
    /// The most instances at once.
    pub peak: u32,
    /// How often the number of workers went another way, its first way included.
    pub turns: usize,
    /// Seconds from a jump of the load until more workers were wanted, the longest of all; `None`
    /// where no jump needed more.
    pub decided: Option<f64>,
    /// What the oracle would have needed.
    pub oracle: Oracle,
}

impl Score {
    /// How a mind did with a trace.
    pub fn of(trace: Trace, played: &Played, oracle: Oracle) -> Self {
        let mut waits = played.waits.clone();
        waits.sort_by(f64::total_cmp);
        let late = waits.iter().filter(|wait| **wait > GOAL).count();
        let p99 = waits.get(waits.len() * 99 / 100).copied().unwrap_or_default();
        let decided = trace.jumps().into_iter().filter_map(|jump| decision(trace, played, jump));
        Self {
            late: late as f64 / waits.len().max(1) as f64,
            p99,
            cost: played.cost,
            peak: played.alive.iter().copied().max().unwrap_or_default(),
            turns: turns(&played.wanted),
            decided: decided.reduce(f64::max),
            oracle,
        }
    }

    /// Against the oracle's.
    pub fn cost_ratio(&self) -> f64 {
        self.cost / self.oracle.cost
    }

    /// Against the oracle's.
    pub fn peak_ratio(&self) -> f64 {
        f64::from(self.peak) / f64::from(self.oracle.peak)
    }

    /// What misses the goals of the fast mind where boots take two seconds: in words, each.
    pub fn misses(&self, trace: Trace) -> Vec<String> {
        let mut misses = Vec::new();
        if trace.is_held_to_goals() {
            if self.late > 0.01 {
                misses.push(format!("{:.1} % are late, more than 1 %", self.late * 100.0));
            }
            if self.cost_ratio() > 1.3 {
                misses.push(format!("it costs {:.2} of the oracle's, over 1.3", self.cost_ratio()));
            }
            if self.peak_ratio() > 1.3 {
                misses.push(format!("its peak is {:.2} of the oracle's", self.peak_ratio()));
            }
            if self.turns > trace.changes() {
                let (turns, changes) = (self.turns, trace.changes());
                misses.push(format!("{turns} turns for {changes} changes of the load"));
            }
        }
        if let Some(decided) = self.decided.filter(|decided| *decided > 2.0) {
            misses.push(format!("decided {decided:.0} s after a jump, more than 2"));
        }
        misses
    }
}

/// How long after a jump more were wanted; nothing if there were enough already.
fn decision(trace: Trace, played: &Played, jump: f64) -> Option<f64> {
    // The first look is at one second.
    let at = jump as usize;
    let before = *played.wanted.get(at.checked_sub(1)?)?;
    if f64::from(before) >= trace.rate(jump) * SERVICE {
        return None;
    }
    let after = played.wanted[at..].iter().position(|wanted| *wanted > before);
    // A look that finds it is the first within a second, and so on.
    Some(after.map_or(f64::INFINITY, |looks| looks as f64 + 1.0))
}

/// How many ways a number went: up, down, up are three.
fn turns(wanted: &[u32]) -> usize {
    let ways = wanted.windows(2).filter(|pair| pair[0] != pair[1]).map(|pair| pair[0] < pair[1]);
    let mut ways: Vec<bool> = ways.collect();
    ways.dedup();
    ways.len()
}

#[cfg(test)]
mod tests {
    use super::turns;

    #[test]
    fn up_down_and_up_are_three_ways() {
        assert_eq!(turns(&[1, 1, 2, 5, 5, 4, 1, 1, 2]), 3);
        assert_eq!(turns(&[3, 3, 3]), 0);
    }
}
