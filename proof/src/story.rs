//! All that the clients know of one message: what they asked, and what they were answered.
//!
//! Nothing is concluded here. An event has two moments, since what a request does happens some
//! time between its being sent and its being answered. Of two requests only those are surely in
//! order of which one was answered before the other was sent.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::body::Number;
use crate::queues::Queue;

/// What two clocks may be off, the service's and ours.
pub(crate) const MARGIN: Duration = Duration::from_millis(50);

/// A moment of the run: each is later than all that were taken before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Moment(pub(crate) u64);

/// A message id, as the service gives it.
pub(crate) type Id = Arc<str>;

/// A message group that one client sends to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Group(pub(crate) u32);

impl Group {
    pub(crate) fn name(self) -> String {
        format!("g{}", self.0)
    }
}

/// What was asked of a message, and answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Deed {
    /// It was sent; absent if the answer was lost.
    Sent(Option<Receipt>),
    /// It was received.
    Received(Sight),
    /// It was deleted, by a receipt handle from that queue.
    Deleted {
        from: Queue,
        id: Id,
        /// Whether it was answered: else it may be deleted, or not.
        answered: bool,
        /// When the receive began that gave the handle.
        received: Moment,
        /// Whether the visibility timeout surely was not over when the answer came.
        held: bool,
    },
    /// Its visibility timeout was changed, or the answer to that was lost.
    Hidden { seconds: u64 },
}

/// What a sender is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Receipt {
    pub(crate) id: Id,
    /// Of a FIFO queue.
    pub(crate) sequence: Option<u128>,
}

/// What a receiver saw.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sight {
    pub(crate) from: Queue,
    pub(crate) id: Id,
    /// Which receive it was, as the message says.
    pub(crate) count: u32,
    pub(crate) sequence: Option<u128>,
    /// The group's name, as the message says.
    pub(crate) group: Option<String>,
    /// Until when at least it is in flight, by the monotonic clock.
    pub(crate) until: Duration,
    /// Its place in the answer.
    pub(crate) place: usize,
    /// Whether it was received at a reckoning, which empties every queue.
    pub(crate) reckoned: bool,
}

/// Something that was asked, and answered or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Event {
    pub(crate) began: Moment,
    pub(crate) ended: Moment,
    /// When it was answered, by the monotonic clock.
    pub(crate) at: Duration,
    pub(crate) deed: Deed,
}

/// Everything of one message, in the order in which it was noted.
#[derive(Clone, Debug)]
pub(crate) struct Story {
    pub(crate) number: Number,
    pub(crate) queue: Queue,
    pub(crate) group: Option<Group>,
    pub(crate) events: Vec<Event>,
}

impl Story {
    /// What its sender was told, if anything.
    pub(crate) fn receipt(&self) -> Option<&Receipt> {
        self.events.iter().find_map(|event| match &event.deed {
            Deed::Sent(receipt) => receipt.as_ref(),
            _ => None,
        })
    }

    /// Each receive of it that was answered.
    pub(crate) fn sights(&self) -> impl Iterator<Item = (&Event, &Sight)> {
        self.events.iter().filter_map(|event| match &event.deed {
            Deed::Received(sight) => Some((event, sight)),
            _ => None,
        })
    }

    /// Whether it was seen by another id than before.
    pub(crate) fn was_moved(&self) -> bool {
        let told = self.receipt().map(|told| &told.id);
        let mut ids = told.into_iter().chain(self.sights().map(|(_, sight)| &sight.id));
        let first = ids.next();
        ids.any(|id| Some(id) != first)
    }

    /// Whether it was surely in flight from `received` until `deleted`, so that it was nowhere
    /// else: nobody may have made it visible meanwhile.
    pub(crate) fn was_held(&self, received: Moment, deleted: Moment) -> bool {
        let shown = |event: &Event| matches!(event.deed, Deed::Hidden { seconds: 0 });
        let mut shown = self.events.iter().filter(|event| shown(event));
        !shown.any(|event| event.ended > received && event.began < deleted)
    }

    /// When somebody first asked for something that may have deleted it.
    pub(crate) fn deletion_began(&self) -> Option<Moment> {
        let deletions = self.events.iter().filter(|it| matches!(it.deed, Deed::Deleted { .. }));
        deletions.map(|event| event.began).min()
    }
}

impl fmt::Display for Story {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "message {} of {}", self.number.0, self.queue)?;
        if let Some(group) = self.group {
            write!(f, ", group {}", group.0)?;
        }
        for event in &self.events {
            write!(f, "\n    {:>9}..{:<9} ", event.began.0, event.ended.0)?;
            match &event.deed {
                Deed::Sent(Some(Receipt { id, sequence })) => match sequence {
                    None => write!(f, "sent: {id}")?,
                    Some(sequence) => write!(f, "sent: {id}, sequence {sequence}")?,
                },
                Deed::Sent(None) => f.write_str("sent, not answered")?,
                Deed::Received(sight) => {
                    let Sight { from, id, count, place, .. } = sight;
                    write!(f, "received from {from}: {id}, for the {count}. time, place {place}")?;
                    f.write_str(if sight.reckoned { ", at a reckoning" } else { "" })?;
                }
                Deed::Deleted { from, id, answered, held, .. } => {
                    write!(f, "deleted from {from}: {id}")?;
                    f.write_str(if *answered { "" } else { ", not answered" })?;
                    f.write_str(if *held { ", held" } else { ", perhaps visible again" })?;
                }
                Deed::Hidden { seconds } => write!(f, "hidden for {seconds} s, or perhaps not")?,
            }
        }
        Ok(())
    }
}
