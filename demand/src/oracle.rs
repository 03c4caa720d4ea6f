//! The oracle: what somebody would do who knew each message beforehand.
//!
//! It works off each message between its coming and its goal, at the most even pace that there is
//! between the two (a string pulled tight). No plan has a smaller peak. A part of a worker is one
//! that is switched on and off within the goal's span, if that is cheaper than to keep it; and a
//! worker that is not needed for a while is kept, or stopped and booted anew, whichever is cheaper.

use crate::{GOAL, Job};

/// Seconds between two points of the string.
const GRAIN: f64 = 0.5;

/// What the oracle needs for a trace.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Oracle {
    /// Instance-seconds, boots included.
    pub cost: f64,
    /// The most workers at once.
    pub peak: u32,
    /// The seconds of work alone.
    pub work: f64,
}

/// A stretch at one pace: workers, in parts of one, for so many seconds.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Stretch {
    pace: f64,
    seconds: f64,
}

impl Oracle {
    /// What it needs for these messages where a boot takes so many seconds.
    pub fn of(jobs: &[Job], boot: f64) -> Self {
        let stretches = evenly(jobs);
        let peak = stretches.iter().map(|stretch| stretch.pace).fold(0.0, f64::max);
        let peak = (peak - 1e-9).ceil() as u32;
        let cost = (0..peak).map(|level| level_cost(&stretches, f64::from(level), boot)).sum();
        Self { cost, peak, work: jobs.iter().map(|job| job.takes).sum() }
    }
}

/// What the worker costs that takes over where `level` others have all their time taken.
fn level_cost(stretches: &[Stretch], level: f64, boot: f64) -> f64 {
    let (mut cost, mut gap, mut is_first) = (0.0, 0.0, true);
    for Stretch { pace, seconds } in stretches {
        let part = (pace - level).clamp(0.0, 1.0);
        if part <= 1e-9 {
            gap += seconds;
            continue;
        }
        // Those that a trace begins with are there.
        if gap > 0.0 || !is_first {
            cost += if is_first { boot } else { gap.min(boot) };
        }
        let in_turns = part + boot * (1.0 - part) / GOAL;
        cost += seconds * in_turns.min(1.0);
        (gap, is_first) = (0.0, false);
    }
    cost
}

/// The most even pace at which all is done between its coming and its goal.
fn evenly(jobs: &[Job]) -> Vec<Stretch> {
    let end = jobs.last().map_or(0.0, |job| job.at) + GOAL;
    let points = (end / GRAIN).ceil() as usize + 1;
    let come = cumulative(jobs, points, 0.0);
    let due = cumulative(jobs, points, GOAL);
    let (mut from, mut done) = (0, 0.0);
    let mut stretches = Vec::new();
    while from + 1 < points {
        let (to, slope) = tight(&come, &due, from, done);
        stretches.push(Stretch { pace: slope / GRAIN, seconds: (to - from) as f64 * GRAIN });
        done += slope * (to - from) as f64;
        from = to;
    }
    stretches
}

/// The work of all messages that came `delay` before each point, or earlier.
fn cumulative(jobs: &[Job], points: usize, delay: f64) -> Vec<f64> {
    let (mut sum, mut next) = (0.0, 0);
    let until = |point: usize| point as f64 * GRAIN - delay;
    let mut all = Vec::with_capacity(points);
    for point in 0..points {
        while next < jobs.len() && (point + 1 == points || jobs[next].at <= until(point)) {
            sum += jobs[next].takes;
            next += 1;
        }
        all.push(sum);
    }
    all
}

/// Where the string that starts at `from` first bends, and how steep it is until there.
fn tight(come: &[f64], due: &[f64], from: usize, done: f64) -> (usize, f64) {
    let (mut least, mut least_at) = (0.0, from);
    let (mut most, mut most_at) = (f64::INFINITY, from);
    for point in from + 1..come.len() {
        let steps = (point - from) as f64;
        let (lower, upper) = ((due[point] - done) / steps, (come[point] - done) / steps);
        if lower > most {
            return (most_at, most);
        }
        if upper < least {
            return (least_at.max(from + 1), least);
        }
        if lower >= least {
            (least, least_at) = (lower, point);
        }
        if upper <= most {
            (most, most_at) = (upper, point);
        }
    }
    if least_at == come.len() - 1 { (least_at, least) } else { (most_at, most) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn each(seconds: f64, count: u32, takes: f64) -> Vec<Job> {
        (0..count).map(|n| Job { at: f64::from(n) * seconds, takes }).collect()
    }

    #[test]
    fn an_even_load_takes_its_work_and_no_more() {
        // Ten a second of 0.1 s: one worker, all the time.
        let oracle = Oracle::of(&each(0.1, 10_000, 0.1), 2.0);
        assert_eq!(oracle.peak, 1);
        assert!((oracle.cost - 1000.0).abs() < 12.0, "{oracle:?}");
    }

    #[test]
    fn a_burst_is_spread_over_the_goal() {
        let oracle = Oracle::of(&[Job { at: 0.0, takes: 100.0 }], 2.0);
        assert_eq!(oracle.peak, 10);
        assert!((oracle.cost - 100.0).abs() < 1e-6, "{oracle:?}");
    }

    #[test]
    fn a_worker_is_kept_over_a_gap_that_is_shorter_than_a_boot() {
        let jobs = [Job { at: 0.0, takes: 10.0 }, Job { at: 40.0, takes: 10.0 }];
        // Ten seconds of work, thirty of nothing, ten of work.
        for (boot, cost) in [(2.0, 22.0), (60.0, 50.0)] {
            let oracle = Oracle::of(&jobs, boot);
            assert!((oracle.cost - cost).abs() < 1.0, "{boot}: {oracle:?}");
        }
    }

    #[test]
    fn half_a_worker_is_one_in_turns_where_boots_are_short() {
        let jobs = each(0.1, 10_000, 0.05);
        let cost = |boot| Oracle::of(&jobs, boot).cost;
        assert!((cost(2.0) - 600.0).abs() < 20.0, "{}", cost(2.0));
        assert!((cost(60.0) - 1000.0).abs() < 20.0, "{}", cost(60.0));
    }
}
