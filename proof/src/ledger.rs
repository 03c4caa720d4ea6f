//! The ledger: what all clients asked and were answered since the last reckoning.
//!
//! It only writes down. What follows from it is [`judge`](crate::judge)'s, at a reckoning, when
//! every queue was emptied and nothing is left open.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tidemill_base::Clock;

use crate::body::Number;
use crate::judge::Violation;
use crate::queues::Queue;
use crate::story::{Deed, Event, Group, Moment, Story};

/// What was asked and answered since the last reckoning.
#[derive(Debug, Default)]
pub(crate) struct Page {
    /// Every message that a client tried to send.
    pub(crate) stories: BTreeMap<Number, Story>,
    /// The batches whose answers were lost, of queues where a lost send is not sent again.
    pub(crate) lost_batches: Vec<Vec<Number>>,
    /// The receives whose answers were lost.
    pub(crate) lost_receives: BTreeMap<Queue, u32>,
    /// What was wrong at first sight.
    pub(crate) violations: Vec<Violation>,
}

/// How much was done in the whole run.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Totals {
    pub(crate) requests: u64,
    /// Requests whose answers were lost.
    pub(crate) unknown: u64,
    pub(crate) sent: u64,
    pub(crate) received: u64,
    pub(crate) deleted: u64,
    /// Messages seen in a dead-letter queue.
    pub(crate) dead: u64,
    /// Move tasks begun.
    pub(crate) moves: u64,
    /// Messages seen by another id than the first, which only a move gives them.
    pub(crate) moved: u64,
}

/// Shared by all clients.
#[derive(Debug)]
pub(crate) struct Ledger {
    clock: Clock,
    book: Mutex<Book>,
}

#[derive(Debug, Default)]
struct Book {
    now: Moment,
    next: Number,
    page: Page,
    totals: Totals,
}

impl Ledger {
    /// An empty one, that looks at this clock.
    pub(crate) fn new(clock: Clock) -> Self {
        Self { clock, book: Mutex::default() }
    }

    /// A moment later than all before. Taken before a request is sent, and after its answer.
    pub(crate) fn moment(&self) -> Moment {
        let mut book = self.book();
        book.now.0 += 1;
        book.now
    }

    /// Opens the stories of `count` messages that are about to be sent.
    pub(crate) fn open(&self, queue: Queue, group: Option<Group>, count: u64) -> Vec<Number> {
        let mut book = self.book();
        let first = book.next.0;
        book.next.0 += count;
        let numbers: Vec<_> = (first..first + count).map(Number).collect();
        for &number in &numbers {
            let story = Story { number, queue, group, events: Vec::new() };
            book.page.stories.insert(number, story);
        }
        numbers
    }

    /// Writes down what was asked at `began` and is answered, or given up, now.
    pub(crate) fn note(&self, began: Moment, deeds: impl IntoIterator<Item = (Number, Deed)>) {
        let mut book = self.book();
        book.now.0 += 1;
        let (ended, at) = (book.now, self.clock.monotonic());
        for (number, deed) in deeds {
            book.totals.count(&deed);
            let event = Event { began, ended, at, deed };
            match book.page.stories.get_mut(&number) {
                Some(story) => story.events.push(event),
                None => book.page.violations.push(Violation::of(
                    "What a reckoning closed does not come back",
                    format!("message {} was closed before: {event:?}", number.0),
                )),
            }
        }
    }

    /// Writes down that a batch was sent of which nobody knows whether it arrived.
    pub(crate) fn lost_batch(&self, numbers: Vec<Number>) {
        self.book().page.lost_batches.push(numbers);
    }

    /// Writes down that a receive was asked of which nobody knows what it took.
    pub(crate) fn lost_receive(&self, queue: Queue) {
        *self.book().page.lost_receives.entry(queue).or_default() += 1;
    }

    /// Writes down that something is wrong that no later event can excuse.
    pub(crate) fn violation(&self, claim: &'static str, detail: String) {
        self.book().page.violations.push(Violation::of(claim, detail));
    }

    /// Counts a request, and whether its answer was lost.
    pub(crate) fn count(&self, unknown: bool) {
        let totals = &mut self.book().totals;
        totals.requests += 1;
        totals.unknown += u64::from(unknown);
    }

    /// Counts a move task that began.
    pub(crate) fn count_move(&self) {
        self.book().totals.moves += 1;
    }

    pub(crate) fn totals(&self) -> Totals {
        self.book().totals
    }

    /// Takes the page out, for it to be judged, and begins a new one.
    pub(crate) fn turn(&self) -> Page {
        let mut book = self.book();
        let page = std::mem::take(&mut book.page);
        book.totals.moved += page.stories.values().filter(|story| story.was_moved()).count() as u64;
        page
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Totals {
    fn count(&mut self, deed: &Deed) {
        match deed {
            Deed::Sent(Some(_)) => self.sent += 1,
            Deed::Received(sight) => {
                self.received += 1;
                let dead = matches!(sight.from, Queue::OrdersDead | Queue::JobsDead);
                self.dead += u64::from(dead);
            }
            Deed::Deleted { answered: true, .. } => self.deleted += 1,
            _ => {}
        }
    }
}

impl Default for Number {
    fn default() -> Self {
        Self(1)
    }
}
