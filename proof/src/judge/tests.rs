//! A judge that finds nothing proves nothing: here each promise is broken once by a made-up
//! story, and each excuse is made once.

use std::time::Duration;

use tidemill_base::{Clock, Timestamp};

use super::{Violation, judge};
use crate::body::Number;
use crate::ledger::{Ledger, Page};
use crate::queues::Queue;
use crate::story::{Deed, Event, Group, Moment, Receipt, Sight};

/// What happened, told a line each; a moment passes before and after each.
struct Tale {
    page: Page,
    now: u64,
}

impl Tale {
    /// Of `count` messages for one queue, and one group if it is FIFO.
    fn of(queue: Queue, count: u64) -> Self {
        let ledger = Ledger::new(Clock::manual(Timestamp::EPOCH));
        ledger.open(queue, queue.is_fifo().then_some(Group(7)), count);
        Self { page: ledger.turn(), now: 0 }
    }

    fn add(&mut self, number: u64, deed: Deed) -> &mut Self {
        let (began, ended) = (Moment(self.now + 1), Moment(self.now + 2));
        self.now += 2;
        self.put(number, began, ended, deed)
    }

    fn put(&mut self, number: u64, began: Moment, ended: Moment, deed: Deed) -> &mut Self {
        let story = self.page.stories.get_mut(&Number(number)).unwrap();
        let at = Duration::from_secs(ended.0);
        story.events.push(Event { began, ended, at, deed });
        self
    }

    fn sent(&mut self, number: u64) -> &mut Self {
        let fifo = self.page.stories[&Number(number)].queue.is_fifo();
        let sequence = fifo.then_some(u128::from(number));
        self.add(number, Deed::Sent(Some(Receipt { id: format!("m{number}").into(), sequence })))
    }

    fn seen(&mut self, number: u64, count: u32) -> &mut Self {
        let sight = self.sight(number, count);
        self.add(number, Deed::Received(sight))
    }

    /// Found and deleted at the reckoning.
    fn left(&mut self, number: u64, count: u32) -> &mut Self {
        let sight = Sight { reckoned: true, ..self.sight(number, count) };
        self.add(number, Deed::Received(sight));
        self.deleted(number, true, true)
    }

    fn sight(&self, number: u64, count: u32) -> Sight {
        let story = &self.page.stories[&Number(number)];
        let fifo = story.queue.is_fifo();
        Sight {
            from: story.queue,
            id: format!("m{number}").into(),
            count,
            sequence: fifo.then_some(u128::from(number)),
            group: story.group.map(Group::name),
            until: Duration::ZERO,
            place: 0,
            reckoned: false,
        }
    }

    fn deleted(&mut self, number: u64, answered: bool, held: bool) -> &mut Self {
        let from = self.page.stories[&Number(number)].queue;
        let (id, received) = (format!("m{number}").into(), Moment(self.now));
        self.add(number, Deed::Deleted { from, id, answered, received, held })
    }

    /// The claims that do not hold.
    fn broken(&self) -> Vec<&'static str> {
        judge(&self.page).into_iter().map(|Violation { claim, .. }| claim).collect()
    }

    fn breaks(&self, word: &str) {
        let broken = self.broken();
        assert!(broken.len() == 1 && broken[0].contains(word), "{broken:?}");
    }
}

#[test]
fn what_was_acknowledged_and_is_nowhere_was_lost() {
    Tale::of(Queue::Plain, 1).sent(1).breaks("until it is deleted");
    Tale::of(Queue::Plain, 1).sent(1).seen(1, 1).breaks("until it is deleted");
    let excused = [
        Tale::of(Queue::Plain, 1).add(1, Deed::Sent(None)).broken(),
        Tale::of(Queue::Plain, 1).sent(1).seen(1, 1).deleted(1, false, true).broken(),
        Tale::of(Queue::Plain, 1).sent(1).left(1, 1).broken(),
    ];
    assert!(excused.iter().all(Vec::is_empty), "{excused:?}");
}

#[test]
fn what_is_left_twice_was_doubled() {
    let mut tale = Tale::of(Queue::Orders, 1);
    let again = Sight { id: "other".into(), reckoned: true, ..tale.sight(1, 1) };
    tale.sent(1).left(1, 1).add(1, Deed::Received(again));
    assert!(tale.broken().contains(&"A message is in one place, once"));
}

#[test]
fn a_deletion_that_was_acknowledged_holds() {
    let mut tale = Tale::of(Queue::Plain, 1);
    tale.sent(1).seen(1, 1).deleted(1, true, false).seen(1, 2).breaks("does not come back");
    let mut tale = Tale::of(Queue::Plain, 1);
    tale.sent(1).seen(1, 1).deleted(1, false, false).seen(1, 2).left(1, 3);
    assert!(tale.broken().is_empty(), "it was not acknowledged: {:?}", tale.broken());
}

#[test]
fn a_receive_that_overlaps_a_deletion_may_still_see_the_message() {
    let mut tale = Tale::of(Queue::Plain, 1);
    tale.sent(1).seen(1, 1).deleted(1, true, false);
    let (before, sight) = (Moment(tale.now - 1), tale.sight(1, 2));
    tale.put(1, before, Moment(99), Deed::Received(sight));
    assert!(tale.broken().is_empty(), "{:?}", tale.broken());
}

#[test]
fn what_was_deleted_too_late_may_be_a_dead_letter_but_not_a_living_one() {
    let dead = |tale: &Tale| Sight { from: Queue::OrdersDead, ..tale.sight(1, 2) };
    let mut tale = Tale::of(Queue::Orders, 1);
    let sight = dead(&tale);
    tale.sent(1).seen(1, 1).deleted(1, true, false).add(1, Deed::Received(sight));
    assert!(tale.broken().is_empty(), "{:?}", tale.broken());
    let mut tale = Tale::of(Queue::Orders, 1);
    tale.sent(1).seen(1, 1).deleted(1, true, false).seen(1, 2).breaks("does not come back");
    // In time, it is gone from everywhere: unless somebody made it visible meanwhile.
    let mut tale = Tale::of(Queue::Orders, 1);
    let sight = dead(&tale);
    tale.sent(1).seen(1, 1).deleted(1, true, true).add(1, Deed::Received(sight));
    tale.breaks("does not come back");
    let hidden = Deed::Hidden { seconds: 0 };
    tale.put(1, Moment(4), Moment(6), hidden);
    assert!(tale.broken().is_empty(), "{:?}", tale.broken());
}

#[test]
fn what_is_in_flight_is_nobody_elses_unless_somebody_may_have_made_it_visible() {
    let mut tale = Tale::of(Queue::Plain, 1);
    let sight = Sight { until: Duration::from_secs(9), ..tale.sight(1, 1) };
    tale.sent(1).add(1, Deed::Received(sight)).seen(1, 2).left(1, 3).breaks("nobody else's");
    tale.put(1, Moment(4), Moment(5), Deed::Hidden { seconds: 0 });
    assert!(tale.broken().is_empty(), "{:?}", tale.broken());
    let mut tale = Tale::of(Queue::Plain, 1);
    let sight = Sight { until: Duration::from_secs(5), ..tale.sight(1, 1) };
    tale.sent(1).add(1, Deed::Received(sight)).seen(1, 2).left(1, 3);
    assert!(tale.broken().is_empty(), "{:?}", tale.broken());
}

#[test]
fn receives_are_counted_and_none_is_counted_that_nobody_asked_for() {
    let claim = "Each receive counts one more";
    Tale::of(Queue::Plain, 1).sent(1).seen(1, 2).seen(1, 1).left(1, 3).breaks(claim);
    Tale::of(Queue::Plain, 1).sent(1).seen(1, 1).left(1, 1).breaks(claim);
    let mut tale = Tale::of(Queue::Plain, 1);
    tale.sent(1).left(1, 2).breaks("nobody asked for");
    tale.page.lost_receives.insert(Queue::Plain, 1);
    assert!(tale.broken().is_empty(), "one was lost");
}

#[test]
fn a_message_keeps_its_id_its_group_and_its_sequence() {
    let claim = "identity";
    for change in [
        |sight: Sight| Sight { id: "other".into(), ..sight },
        |sight: Sight| Sight { group: None, ..sight },
        |sight: Sight| Sight { sequence: Some(9), ..sight },
    ] {
        let mut tale = Tale::of(Queue::Strict, 1);
        let sight = change(tale.sight(1, 1));
        let count = Sight { count: 2, reckoned: true, ..sight.clone() };
        tale.sent(1).add(1, Deed::Received(sight)).add(1, Deed::Received(count));
        tale.breaks(claim);
    }
}

#[test]
fn what_went_elsewhere_does_not_come_back() {
    let mut tale = Tale::of(Queue::Orders, 1);
    let dead = Sight { from: Queue::OrdersDead, ..tale.sight(1, 2) };
    tale.sent(1).seen(1, 1).add(1, Deed::Received(dead)).left(1, 3).breaks("as what it was");
    let mut tale = Tale::of(Queue::Orders, 1);
    let moved = Sight { id: "new".into(), ..tale.sight(1, 1) };
    tale.sent(1).seen(1, 1).add(1, Deed::Received(moved)).left(1, 2).breaks("as what it was");
}

#[test]
fn a_lost_batch_is_there_whole_or_not_at_all() {
    let mut tale = Tale::of(Queue::Plain, 2);
    tale.add(1, Deed::Sent(None)).add(2, Deed::Sent(None));
    tale.page.lost_batches.push(vec![Number(1), Number(2)]);
    assert!(tale.broken().is_empty());
    tale.left(1, 1).breaks("whole");
    tale.left(2, 1);
    assert!(tale.broken().is_empty());
}

#[test]
fn a_group_keeps_its_order() {
    let claim = "in the order";
    let mut tale = Tale::of(Queue::Strict, 2);
    tale.sent(1).sent(2).seen(2, 1).left(1, 1).left(2, 2).breaks(claim);
    let mut tale = Tale::of(Queue::Strict, 2);
    tale.sent(1).sent(2).seen(1, 1).deleted(1, false, true).seen(2, 1).left(2, 2);
    assert!(tale.broken().is_empty(), "perhaps the first was deleted: {:?}", tale.broken());
    // In one answer, in their order.
    let mut tale = Tale::of(Queue::Strict, 2);
    tale.sent(1).sent(2);
    let (first, second) = (tale.sight(1, 1), Sight { place: 1, ..tale.sight(2, 1) });
    tale.put(1, Moment(10), Moment(11), Deed::Received(first));
    tale.put(2, Moment(10), Moment(11), Deed::Received(second));
    tale.now = 11;
    tale.left(1, 2).left(2, 2);
    assert!(tale.broken().is_empty(), "{:?}", tale.broken());
}

#[test]
fn a_dead_letter_lost_its_place_and_holds_nobody_back() {
    let mut tale = Tale::of(Queue::Jobs, 2);
    let dead = Sight { from: Queue::JobsDead, ..tale.sight(1, 2) };
    tale.sent(1).sent(2).seen(1, 1).seen(2, 1).add(1, Deed::Received(dead)).left(2, 2);
    tale.deleted(1, true, true);
    assert!(tale.broken().is_empty(), "{:?}", tale.broken());
}

#[test]
fn sequence_numbers_rise() {
    let mut tale = Tale::of(Queue::Strict, 2);
    tale.sent(2).left(2, 1);
    let receipt = Receipt { id: "m1".into(), sequence: Some(2) };
    let (from, id, received) = (Queue::Strict, "m1".into(), Moment(0));
    let deletion = Deed::Deleted { from, id, answered: false, received, held: false };
    tale.put(1, Moment(0), Moment(0), Deed::Sent(Some(receipt)));
    tale.put(1, Moment(0), Moment(1), deletion);
    tale.breaks("Sequence numbers");
}
