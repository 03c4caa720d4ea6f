//! A mirror: the model beside a whole engine. It sees every record as it is applied, says when one
//! cannot be, and remembers what is not durable yet, so that it can go back with a crash.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tidemill_base::Timestamp;
use tidemill_journal::Position;

use super::check::check;
use super::pond::{Modelled, Pond};
use super::ponds::{Event, Ponds, number};
use crate::deduplication::Marks;
use crate::holder::Holder;
use crate::key::{QueueId, QueueNumber, Sequence, ShardId};
use crate::loose::Held;
use crate::machine::Machine;
use crate::message::Content;
use crate::record::Record;

/// The model beside an engine. Clones are the same one.
#[derive(Clone, Default)]
pub struct Mirror(Arc<Mutex<Image>>);

/// What a mirror saw happen. A message is told from all others by where it was first recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    /// A message was stored; what a FIFO queue knows it by, if that is something.
    Sent(Position, Option<u64>),
    /// Messages of a queue were deleted.
    Deleted(QueueId, Vec<(Sequence, Position)>),
    /// Messages were dropped: too old, purged, or gone with their queue.
    Gone(Vec<Position>),
    /// Anything else, by name.
    Other(&'static str),
}

#[derive(Default)]
struct Image {
    /// What the engine holds.
    live: Ponds,
    /// What is durable of that.
    base: Ponds,
    /// What is not.
    events: VecDeque<Event>,
    now: Timestamp,
    durable: Position,
    end: Position,
    first: Option<Position>,
    recovered: Position,
    /// The clock went back once: who is next is not judged any more.
    lenient: bool,
    /// Who is to be given nothing.
    draining: BTreeSet<Holder>,
    /// A crash may take back what counted as durable.
    trusts_nothing: bool,
    complaints: Vec<String>,
    seen: Vec<Seen>,
}

impl Mirror {
    /// Of an engine that holds nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// From now on who is next is not judged: the clock goes back.
    pub fn be_lenient(&self) {
        self.image().lenient = true;
    }

    /// What counts as durable may be lost all the same: the machine may, and nobody syncs.
    pub fn trust_no_watermark(&self) {
        self.image().trusts_nothing = true;
    }

    /// Whether who is next is judged no more.
    pub fn is_lenient(&self) -> bool {
        self.image().lenient
    }

    /// From now on a holder is to be given nothing, or again something.
    pub(crate) fn drains(&self, holder: Holder, is_draining: bool) {
        let draining = &mut self.image().draining;
        if is_draining {
            draining.insert(holder)
        } else {
            draining.remove(&holder)
        };
    }

    /// Whether a holder is to be given nothing.
    pub fn is_draining(&self, holder: Holder) -> bool {
        self.image().draining.contains(&holder)
    }

    /// What was wrong since the last call.
    pub fn complaints(&self) -> Vec<String> {
        std::mem::take(&mut self.image().complaints)
    }

    /// What happened since the last call.
    pub fn seen(&self) -> Vec<Seen> {
        let mut image = self.image();
        image.first = None;
        std::mem::take(&mut image.seen)
    }

    /// Behind the first record since [`Mirror::seen`] was called, if there is one.
    pub fn first(&self) -> Option<Position> {
        self.image().first
    }

    /// Where the log ended when the engine was last opened.
    pub fn recovered_end(&self) -> Position {
        self.image().recovered
    }

    /// Behind the last record.
    pub fn end(&self) -> Position {
        self.image().end
    }

    /// Whether a queue has a message for a receiver.
    pub fn has_visible(&self, queue: QueueId, now: Timestamp, durable: Position) -> bool {
        let image = self.image();
        image.live.get(queue.number).is_some_and(|pond| !pond.heads(1, now, durable).is_empty())
    }

    /// Whether a queue is there.
    pub fn has(&self, queue: QueueId) -> bool {
        self.image().live.get(queue.number).is_some()
    }

    /// Of each of these what a FIFO queue would know it by, if that is something, and whether it
    /// would not store it.
    pub fn duplicates(
        &self,
        queue: QueueId,
        contents: &[Content],
        now: Timestamp,
    ) -> Vec<(Option<u64>, bool)> {
        let image = self.image();
        let Some(pond) = image.live.get(queue.number).filter(|pond| pond.is_fifo()) else {
            return vec![(None, false); contents.len()];
        };
        let mut here = Vec::new();
        let mut is_duplicate = |content: &Content| {
            let marks = Marks::of(content)?;
            let known = number(marks.within(pond.settings.deduplication_scope));
            let group = content.group.as_ref().and_then(|group| group.parse().ok());
            let before = pond.original(group.unwrap_or_default(), known, now).is_some();
            let again = here.contains(&known);
            here.push(known);
            Some((Some(known), before || again))
        };
        contents.iter().map(|one| is_duplicate(one).unwrap_or_default()).collect()
    }

    /// Which of these messages a deletion by the receipt of this receive would take away.
    pub fn deletes(
        &self,
        queue: QueueId,
        receipts: &[(Sequence, u32)],
        now: Timestamp,
    ) -> Vec<Sequence> {
        let image = self.image();
        let Some(pond) = image.live.get(queue.number) else { return Vec::new() };
        let is_good = |(sequence, receive): &&(Sequence, u32)| {
            let found = pond.messages.iter().find(|one| one.sequence == *sequence);
            found.is_some_and(|one| !pond.is_fifo() || (one.receives == *receive && one.due > now))
        };
        let mut good: Vec<_> = receipts.iter().filter(is_good).map(|one| one.0).collect();
        good.sort_unstable();
        good.dedup();
        good
    }

    /// Each queue, and what it holds by now or soon, in the order of its sequences.
    pub fn queues(&self) -> BTreeMap<QueueId, Vec<Position>> {
        let of_queue = |pond: &Pond| {
            let held = pond.messages.iter().map(|one| one.origin).collect();
            (id(pond.number), held)
        };
        self.image().live.all.iter().map(of_queue).collect()
    }

    /// The time and the disk went on, for a queue.
    pub(crate) fn advanced(&self, queue: Option<QueueNumber>, now: Timestamp, durable: Position) {
        let mut image = self.image();
        image.now = now;
        image.durable = durable;
        while !image.trusts_nothing && image.events.front().is_some_and(|event| event.at < durable)
        {
            let event = image.events.pop_front().expect("it was just looked at");
            image.base.fold(&event);
        }
        if let Some(index) = queue.and_then(|queue| image.live.index(queue)) {
            image.live.all[index].judge(now);
        }
    }

    /// A record is applied.
    pub(crate) fn saw(&self, at: Position, record: &Record) {
        let image = &mut *self.image();
        let (now, durable) = (image.now, image.durable);
        let event = Event { at, record: record.clone(), now, durable };
        let order = !image.lenient;
        let checked = catch_unwind(AssertUnwindSafe(|| check(&image.live, &event, order)));
        match checked {
            Ok(Ok(())) => {}
            Ok(Err(complaint)) => {
                image.complaints.push(format!("{complaint}: at {at} {record:?}"));
                return;
            }
            Err(_) => image.complaints.push(format!("the model failed: at {at} {record:?}")),
        }
        if holder_of(record).is_some_and(|holder| image.draining.contains(&holder)) {
            image.complaints.push(format!("one that drains was given something: {record:?}"));
        }
        let seen = of_record(&image.live, at, record);
        image.seen.push(seen);
        image.live.fold(&event);
        image.end = Position::from_u64(at.as_u64() + 1);
        let end = image.end;
        image.first.get_or_insert(end);
        image.events.push_back(event);
    }

    /// An engine was opened, and its log ends here: goes back to that, and compares.
    pub(crate) fn recovered(&self, machine: &Machine, end: Position, now: Timestamp) {
        let image = &mut *self.image();
        let events = std::mem::take(&mut image.events);
        events.iter().filter(|event| event.at < end).for_each(|event| image.base.fold(event));
        image.live = image.base.clone();
        for pond in &mut image.live.all {
            pond.restart();
            pond.judge(now);
        }
        image.seen.clear();
        image.draining.clear();
        image.end = end;
        image.recovered = end;
        image.now = now;
        compare(image, machine, end);
    }

    /// Compares what every queue holds.
    pub(crate) fn compare(&self, machine: &Machine, durable: Position) {
        compare(&mut self.image(), machine, durable);
    }

    fn image(&self) -> MutexGuard<'_, Image> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Mirror {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Mirror")
    }
}

fn id(number: QueueNumber) -> QueueId {
    QueueId { shard: ShardId::default(), number }
}

fn holder_of(record: &Record) -> Option<Holder> {
    match record {
        Record::Received(received) => received.holder,
        Record::Repeated { holder, .. } => *holder,
        _ => None,
    }
}

fn of_record(ponds: &Ponds, at: Position, record: &Record) -> Seen {
    let all = |queue: &QueueNumber| {
        ponds.get(*queue).map(|pond| pond.messages.iter().map(|one| one.origin).collect())
    };
    match record {
        Record::Message(header) => Seen::Sent(at, header.known.map(|(mark, _)| number(mark))),
        Record::Deleted { queue, sequences } => {
            let messages = ponds.get(*queue).into_iter().flat_map(|pond| &pond.messages);
            let deleted = messages.filter(|one| sequences.contains(&one.sequence));
            Seen::Deleted(id(*queue), deleted.map(|one| (one.sequence, one.origin)).collect())
        }
        Record::Purged { queue, .. } | Record::Removed { queue, .. } => {
            Seen::Gone(all(queue).unwrap_or_default())
        }
        Record::Dropped { queue, sequences, .. } => {
            let messages = ponds.get(*queue).map(|pond| &pond.messages);
            let gone = messages.into_iter().flatten();
            let gone = gone.filter(|one| sequences.contains(&one.sequence));
            Seen::Gone(gone.map(|one| one.origin).collect())
        }
        Record::Created(_) => Seen::Other("created"),
        Record::Received(_) => Seen::Other("received"),
        Record::Repeated { .. } => Seen::Other("repeated"),
        Record::Returned { .. } => Seen::Other("returned"),
        Record::Hidden { .. } => Seen::Other("hidden"),
        Record::Carried(_) => Seen::Other("carried"),
        Record::Redriven { .. } => Seen::Other("moved"),
        Record::Moved(_) => Seen::Other("relocated"),
        Record::Lapsed { .. } => Seen::Other("lapsed"),
        _ => Seen::Other("administered"),
    }
}

/// Says of each queue what is there and should not be, or the other way round.
fn compare(image: &mut Image, machine: &Machine, durable: Position) {
    let Image { live, complaints, lenient, now, .. } = image;
    // Since when something is visible does not matter; nor, if the clock went back, until when it
    // is not.
    let floor = if *lenient { Timestamp::NEVER } else { *now };
    let there: Vec<_> = machine.queues().map(|queue| queue.facts.number).collect();
    let modelled = live.all.iter().map(|pond| pond.number);
    if !modelled.clone().all(|number| there.contains(&number)) || there.len() != live.all.len() {
        let modelled: Vec<_> = modelled.collect();
        complaints.push(format!("there are the queues {there:?}, not {modelled:?}"));
    }
    for queue in machine.queues() {
        let number = queue.facts.number;
        let Some(pond) = live.get(number) else { continue };
        let held = queue.stock.list(Sequence::default(), usize::from(u16::MAX));
        let held: Vec<_> = held.iter().map(|held| of_held(held, floor)).collect();
        let expected = pond.messages.iter().filter(|one| one.seen_from < durable);
        let mut expected: Vec<_> = expected.map(|one| of_modelled(one, floor)).collect();
        expected.sort_unstable();
        if held != expected {
            let (more, less) = (difference(&held, &expected), difference(&expected, &held));
            complaints.push(format!("queue {} holds {more:?}, not {less:?}", number.0));
        }
        if pond.next != queue.facts.next || pond.settings != *queue.facts.settings {
            complaints.push(format!("queue {} has other settings", number.0));
        }
        let (counts, expected) = (queue.stock.counts(), pond.counts(*now, durable));
        if counts != expected && !*lenient {
            complaints.push(format!("queue {} counts {counts:?}, not {expected:?}", number.0));
        }
        let (holders, expected) = (queue.stock.all_holders(), pond.holders(*now, durable));
        if holders != expected && !*lenient {
            complaints.push(format!("queue {} is with {holders:?}, not {expected:?}", number.0));
        }
    }
}

/// What is compared of a message: its sequence, where its record is, when it was sent, how often
/// it was received, until when it is not visible, the queue that it came from, and who had it last.
type Look = (Sequence, Position, Timestamp, u32, Timestamp, Option<QueueNumber>, Option<Holder>);

/// Those that are not among the others; not too many.
fn difference(these: &[Look], others: &[Look]) -> Vec<Look> {
    these.iter().filter(|one| !others.contains(one)).take(8).copied().collect()
}

fn of_held(held: &Held, floor: Timestamp) -> Look {
    let source = held.passage.map(|passage| passage.source);
    let due = held.due.max(floor);
    (held.sequence, held.position, held.sent, held.receives, due, source, held.holder)
}

fn of_modelled(one: &Modelled, floor: Timestamp) -> Look {
    let due = one.due.max(floor);
    (one.sequence, one.position, one.sent, one.receives, due, one.source, one.holder)
}
