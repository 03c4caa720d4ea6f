//! Dead letters are moved back, or elsewhere: as new messages, at the pace that was asked for, and
//! each once.

use std::collections::BTreeSet;

use tidemill_journal::{Faults, FaultyDriver};

use super::dead_letters::redriving;
use super::*;
use crate::engine::moves::Next;
use crate::moves::{Move, MoveFailure, MoveId, MoveStatus};
use crate::refusal::{Error, Failure, Refusal};

impl Bench {
    /// Does what the loop does, until it would wait or has nothing more to do.
    pub(super) fn move_on(&self) -> Next {
        loop {
            match self.engine.0.move_some().unwrap() {
                Next::AtOnce => {}
                next => return next,
            }
        }
    }

    fn last_move(&self, source: QueueId) -> Move {
        self.engine.moves(source, 1).unwrap().remove(0)
    }

    /// Dead letters of `live` in `dead`, in this order.
    async fn dead_letters(&self, dead: QueueId, live: QueueId, bodies: &[&str]) {
        self.send(live, bodies).await;
        self.receive_in_vain(live).await;
        while self.counts(live).0 > 0 {
            self.take(live, 10).await;
        }
        self.settle().await;
        assert_eq!(self.counts(dead), (bodies.len(), 0, 0));
    }

    async fn start(&self, source: QueueId, to: Option<QueueId>, pace: Option<u32>) -> MoveId {
        self.engine.start_move(source, to, pace).await.unwrap()
    }
}

fn refused<T: std::fmt::Debug>(result: Result<T, Error>) -> Refusal {
    match result.unwrap_err() {
        Error::Refused(refusal) => refusal,
        Error::Failed(failure) => panic!("{failure}"),
    }
}

#[tokio::test]
async fn messages_go_back_to_where_they_came_from_as_new_ones() {
    let bench = Bench::new();
    let (dead, live) = bench.pair(1).await;
    let other = bench.queue_with("other", redriving("dead", 1)).await;
    bench.dead_letters(dead, live, &["a", "b", "c"]).await;
    let ids: BTreeSet<_> =
        bench.engine.peek(dead, None, 10).unwrap().into_iter().map(|one| one.id).collect();
    bench.send(other, &["d"]).await;
    bench.receive_in_vain(other).await;
    bench.take(other, 1).await;
    bench.settle().await;
    let mut waits = Box::pin(bench.engine.receive(other, waiting(1, 20 * SECOND)));
    assert!(poll(&mut waits).is_pending());
    let id = bench.start(dead, None, None).await;
    assert_eq!(bench.last_move(dead).status, MoveStatus::Running);
    assert_eq!(bench.move_on(), Next::Never);
    let done = bench.last_move(dead);
    assert_eq!((done.id, done.status, done.ended.is_some()), (id, MoveStatus::Completed, true));
    assert_eq!((done.moved, done.to_move, &done.destination), (4, 4, &None));
    assert_eq!(bench.counts(dead), (0, 0, 0));
    assert_eq!(bodies(&waits.await.unwrap()), ["d"]);
    let got = bench.take(live, 10).await;
    assert_eq!(bodies(&got), ["a", "b", "c"]);
    for one in &got {
        assert!(!ids.contains(&one.id));
        assert_eq!((one.receive_count, one.source.clone()), (1, None));
        assert_eq!(one.sent, done.started);
    }
    let bench = bench.crash();
    assert_eq!(bench.last_move(dead), done);
    // A receive need not survive a crash of the machine; all else did.
    assert_eq!((bench.counts(dead), bench.counts(live)), ((0, 0, 0), (3, 0, 0)));
    assert_eq!(bench.engine.is_dead_letter_queue(dead), Ok(true));
    assert_eq!(bench.engine.is_dead_letter_queue(live), Ok(false));
    assert_eq!(bench.engine.dead_letter_sources(&key("dead")), [key("live"), key("other")]);
}

#[tokio::test]
async fn a_move_keeps_its_pace() {
    let bench = Bench::new();
    let (dead, live) = bench.pair(1).await;
    let to = bench.queue("to").await;
    bench.dead_letters(dead, live, &["x"; 100]).await;
    bench.start(dead, Some(to), Some(20)).await;
    let start = bench.clock.now();
    let mut moved = Vec::new();
    while let Next::At(next) = bench.move_on() {
        moved.push(bench.counts(to).0);
        bench.advance(next.since(bench.clock.now()));
    }
    assert_eq!(bench.clock.now().since(start), 5 * SECOND);
    assert_eq!((bench.counts(to).0, moved[0], moved[10]), (100, 1, 21));
    let done = bench.last_move(dead);
    assert_eq!((done.per_second, done.destination), (Some(20), Some(key("to"))));
    assert_eq!((done.status, done.moved), (MoveStatus::Completed, 100));
}

#[tokio::test]
async fn on_a_disk_that_is_nearly_full_no_move_begins_and_those_under_way_rest() {
    let (store, faults) = (MemoryDriver::new(), Faults::none());
    let clock = Clock::manual(START);
    let engine = open(FaultyDriver::new(store.clone(), &faults), &clock);
    let bench = Bench { store, clock, engine };
    let inner = &bench.engine.0;
    let has = |mib| {
        faults.set_free(Some(ByteSize::mib(mib)));
        inner.look_at_disk();
    };
    let (dead, live) = bench.pair(1).await;
    bench.dead_letters(dead, live, &["x"; 10]).await;
    bench.start(dead, None, Some(2)).await;
    bench.move_on();
    has(1);
    let before = inner.journal.end();
    bench.advance(10 * SECOND);
    assert_eq!(bench.move_on(), Next::Never);
    assert_eq!((inner.journal.end(), bench.counts(live).0), (before, 1));
    let running = bench.last_move(dead);
    assert_eq!((running.status, running.moved), (MoveStatus::Running, 1));
    assert!(matches!(
        bench.engine.start_move(live, None, None).await,
        Err(Error::Failed(Failure::Full { .. }))
    ));
    // What makes no room but takes none either is carried out.
    bench.engine.cancel_move(running.id).await.unwrap();
    assert!(bench.engine.start_move(dead, None, None).await.is_err());
    let is_told = || poll(&mut Box::pin(inner.moves.notified())).is_ready();
    is_told();
    has(1000);
    assert!(is_told(), "whoever rests goes on");
    bench.start(dead, None, None).await;
    assert_eq!(bench.move_on(), Next::Never);
    assert_eq!((bench.counts(dead).0, bench.counts(live).0), (0, 10));
}

#[tokio::test]
async fn what_cannot_begin_is_refused() {
    let bench = Bench::new();
    let (dead, live) = bench.pair(1).await;
    let start = |from, to| bench.engine.start_move(from, to, Some(1));
    assert_eq!(refused(start(live, None).await), Refusal::NotADeadLetterQueue);
    assert_eq!(refused(start(dead, Some(dead)).await), Refusal::SameQueue);
    let fifo = SettingsChange {
        discipline: Some(crate::settings::Discipline::Fifo),
        ..SettingsChange::default()
    };
    let fifo = bench.queue_with("orders.fifo", fifo).await;
    assert_eq!(refused(start(dead, Some(fifo)).await), Refusal::OtherDiscipline);
    bench.engine.remove(fifo).await.unwrap();
    assert_eq!(refused(start(dead, Some(fifo)).await), Refusal::NoSuchDestination);
    assert_eq!(refused(start(fifo, None).await), Refusal::NoSuchQueue);
    let id = start(dead, None).await.unwrap();
    assert_eq!(refused(start(dead, None).await), Refusal::MoveUnderWay);
    let unknown = MoveId { number: crate::moves::MoveNumber(7), ..id };
    assert_eq!(refused(bench.engine.cancel_move(unknown).await), Refusal::NoSuchMove);
    assert_eq!(bench.engine.cancel_move(id).await.unwrap(), 0);
    assert_eq!(refused(bench.engine.cancel_move(id).await), Refusal::MoveIsOver);
    bench.engine.remove(dead).await.unwrap();
    assert_eq!(refused(bench.engine.cancel_move(id).await), Refusal::NoSuchMove);
    assert_eq!(bench.engine.moves(dead, 10), Err(Refusal::NoSuchQueue));
}

#[tokio::test]
async fn a_cancelled_move_leaves_the_rest_and_another_may_begin() {
    let bench = Bench::new();
    let (dead, live) = bench.pair(1).await;
    bench.dead_letters(dead, live, &["a", "b", "c"]).await;
    let id = bench.start(dead, None, Some(1)).await;
    bench.move_on();
    bench.advance(SECOND);
    bench.move_on();
    assert_eq!(bench.engine.cancel_move(id).await.unwrap(), 2);
    bench.advance(10 * SECOND);
    assert_eq!(bench.move_on(), Next::Never);
    assert_eq!(bench.last_move(dead).status, MoveStatus::Cancelled);
    assert_eq!((bench.counts(dead).0, bench.counts(live).0), (1, 2));
    for _ in 0..12 {
        bench.start(dead, None, None).await;
        bench.move_on();
    }
    let all = bench.engine.moves(dead, 100).unwrap();
    assert_eq!((all.len(), all[11 - 2].moved, bench.counts(live).0), (10, 0, 3));
    assert!(all.iter().all(|one| one.status == MoveStatus::Completed));
}

#[tokio::test]
async fn the_end_of_a_move_that_was_cancelled_meanwhile_does_not_stop_the_next_one() {
    let bench = Bench::new();
    let (dead, live) = bench.pair(1).await;
    bench.dead_letters(dead, live, &["a", "b"]).await;
    let first = bench.start(dead, None, None).await;
    bench.engine.cancel_move(first).await.unwrap();
    bench.start(dead, None, None).await;
    let inner = &bench.engine.0;
    inner.end_move(first.queue.number, first.number, MoveStatus::Completed).unwrap();
    assert_eq!(bench.move_on(), Next::Never);
    let second = bench.last_move(dead);
    assert_eq!((second.status, second.moved), (MoveStatus::Completed, 2));
}

#[tokio::test]
async fn a_move_fails_where_a_message_cannot_go() {
    let bench = Bench::new();
    let (dead, live) = bench.pair(1).await;
    let to = bench.queue("to").await;
    bench.dead_letters(dead, live, &["a", "b"]).await;
    bench.start(dead, Some(to), Some(1)).await;
    bench.move_on();
    bench.engine.remove(to).await.unwrap();
    bench.advance(SECOND);
    bench.move_on();
    let failed = bench.last_move(dead);
    let no_queue = MoveStatus::Failed(MoveFailure::NoSuchQueue);
    assert_eq!((failed.status, failed.moved), (no_queue, 1));
    // One that was sent here came from nowhere; what lay before it goes.
    bench.send(dead, &["direct"]).await;
    bench.start(dead, None, None).await;
    bench.move_on();
    let failed = bench.last_move(dead);
    let unknown = MoveStatus::Failed(MoveFailure::UnknownSource);
    assert_eq!((failed.status, failed.moved, bench.counts(dead).0), (unknown, 1, 1));
    let direct = bench.take(dead, 1).await[0].receipt;
    bench.engine.delete(dead, &[direct]).await.unwrap();
    bench.engine.purge(live).await.unwrap();
    let other = bench.queue_with("other", redriving("dead", 1)).await;
    bench.dead_letters(dead, other, &["c"]).await;
    bench.engine.remove(other).await.unwrap();
    bench.start(dead, None, None).await;
    bench.move_on();
    assert_eq!(bench.last_move(dead).status, no_queue);
    assert_eq!(bench.counts(dead), (1, 0, 0));
    let bench = bench.crash();
    assert_eq!(bench.last_move(dead).status, no_queue);
}

#[tokio::test]
async fn what_is_in_flight_and_what_comes_later_stays() {
    let bench = Bench::new();
    let (dead, live) = bench.pair(1).await;
    let to = bench.queue("to").await;
    bench.dead_letters(dead, live, &["a", "b", "c", "d"]).await;
    assert_eq!(bodies(&bench.take(dead, 1).await), ["a"]);
    bench.start(dead, Some(to), Some(1)).await;
    bench.send(dead, &["late"]).await;
    bench.move_on();
    assert_eq!(bodies(&bench.take(dead, 1).await), ["c"]);
    for _ in 0..5 {
        bench.advance(SECOND);
        bench.move_on();
    }
    assert_eq!(bodies(&bench.take(to, 10).await), ["b", "d"]);
    assert_eq!(bodies(&bench.take(dead, 10).await), ["late"]);
    let done = bench.last_move(dead);
    assert_eq!((done.status, done.moved, done.to_move), (MoveStatus::Completed, 2, 3));
}

#[tokio::test]
async fn a_move_goes_on_after_a_crash() {
    let bench = Bench::new();
    let (dead, live) = bench.pair(1).await;
    let bodies_sent: Vec<_> = (0..20).map(|number| number.to_string()).collect();
    let texts: Vec<_> = bodies_sent.iter().map(String::as_str).collect();
    bench.dead_letters(dead, live, &texts).await;
    let id = bench.start(dead, None, Some(5)).await;
    bench.move_on();
    bench.advance(SECOND);
    bench.move_on();
    let bench = bench.crash();
    let running = bench.last_move(dead);
    assert_eq!((running.id, running.status, running.moved), (id, MoveStatus::Running, 6));
    while let Next::At(next) = bench.move_on() {
        bench.advance(next.since(bench.clock.now()));
    }
    assert_eq!(bench.last_move(dead).moved, 20);
    assert_eq!(bodies(&bench.take(live, 100).await), bodies_sent);
}

#[tokio::test]
async fn a_running_engine_moves_by_itself() {
    let bench = Bench::new();
    let running = tokio::spawn(bench.engine.clone().run());
    let (dead, live) = bench.pair(1).await;
    bench.dead_letters(dead, live, &["a", "b", "c"]).await;
    bench.start(dead, None, Some(1)).await;
    let mut got = Vec::new();
    while got.len() < 3 {
        got.extend(bench.engine.receive(live, waiting(1, Duration::ZERO)).await.unwrap());
        if bench.last_move(dead).moved > u64::try_from(got.len()).unwrap() {
            continue;
        }
        bench.advance(SECOND / 10);
        tokio::task::yield_now().await;
    }
    assert_eq!(bodies(&got), ["a", "b", "c"]);
    bench.engine.shut_down().await.unwrap();
    running.await.unwrap();
}

/// The power fails at some moment of a move. Each message is in one queue then, and once the move
/// went on each is where it should be.
#[tokio::test]
async fn a_crash_at_any_moment_of_a_move_neither_loses_nor_doubles() {
    let bodies_sent: Vec<_> = (0..30).map(|number| format!("{number:02}")).collect();
    let texts: Vec<_> = bodies_sent.iter().map(String::as_str).collect();
    let mut halves = 0;
    for step in 0..40 {
        let (store, faults) = (MemoryDriver::new(), Faults::none());
        let clock = Clock::manual(START);
        let engine = open(FaultyDriver::new(store.clone(), &faults), &clock);
        let bench = Bench { store, clock, engine };
        let (dead, live) = bench.pair(1).await;
        bench.dead_letters(dead, live, &texts).await;
        faults.die_after(faults.changes() + step);
        let mut broken = bench.engine.start_move(dead, None, Some(40)).await.is_err();
        while !broken && bench.last_move(dead).status == MoveStatus::Running {
            broken = bench.engine.0.move_some().is_err() || bench.engine.0.keep_house().is_err();
            bench.advance(SECOND / 10);
        }
        bench.store.crash(&Keep::Sectors(Chance::seeded(step)));
        drop(bench.engine);
        let engine = open(bench.store.clone(), &bench.clock);
        let bench = Bench { engine, ..bench };
        let there = |queue| -> Vec<_> {
            let seen = bench.engine.peek(queue, None, 1000).unwrap();
            seen.iter().map(|one| String::from_utf8(one.content.body.to_vec()).unwrap()).collect()
        };
        let (mut all, left) = (there(live), there(dead));
        halves += usize::from(!all.is_empty() && !left.is_empty());
        all.extend(left);
        assert_eq!(all, bodies_sent, "step {step}");
        if bench.engine.moves(dead, 1).unwrap().is_empty() {
            continue;
        }
        while let Next::At(next) = bench.move_on() {
            bench.advance(next.since(bench.clock.now()));
        }
        assert_eq!(there(live), bodies_sent, "step {step}");
        assert_eq!(bench.last_move(dead).moved, 30, "step {step}");
    }
    assert!(halves > 3, "{halves} crashes were in the midst of it");
}
