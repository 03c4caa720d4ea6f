//! The fast mind keeps its goals, and a play is the same each time.

use tidemill_demand::{Kind, Mind, Oracle, Score, Trace, jobs, play};

const BOOT: f64 = 2.0;

fn scored(trace: Trace, kind: Kind, seed: u64) -> Score {
    let jobs = jobs(trace, seed);
    let played = play(trace, &jobs, BOOT, &mut Mind::new(kind), seed);
    Score::of(trace, &played, Oracle::of(&jobs, BOOT))
}

#[test]
fn the_fast_mind_keeps_its_goals_on_every_trace() {
    for trace in Trace::ALL {
        let score = scored(trace, Kind::Fast, 1);
        assert_eq!(score.misses(trace), Vec::<String>::new(), "{}: {score:?}", trace.name());
    }
}

#[test]
fn the_goals_notice_a_mind_that_misses_them() {
    let score = scored(Trace::Step, Kind::Aws, 1);
    assert!(score.misses(Trace::Step).len() >= 3, "{score:?}");
}

#[test]
fn the_same_seed_is_the_same_play() {
    assert_eq!(scored(Trace::Spike, Kind::Fast, 7), scored(Trace::Spike, Kind::Fast, 7));
    assert_ne!(scored(Trace::Spike, Kind::Fast, 7), scored(Trace::Spike, Kind::Fast, 8));
}
