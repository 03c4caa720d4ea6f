//! Scheduled actions: at a time, or again and again, a group is told its size.

use minicbor::{Decode, Encode};
use tidemill_base::Timestamp;

use super::Group;
use super::activity::{Cause, Said, Step};
use super::cron::Cron;
use super::ids::ActivityId;
use super::record::{Wanted, What};
use super::settings::{Process, Settings};
use crate::Workers;

/// Most scheduled actions of a group.
pub const SCHEDULED: usize = 125;

/// A scheduled action.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Scheduled {
    /// What sets it apart from another of the same name.
    #[n(0)]
    pub id: ActivityId,
    /// When it begins, if that is said: without a recurrence, when it is.
    #[n(1)]
    pub start: Option<Timestamp>,
    /// After this it is no more, if that is said.
    #[n(2)]
    pub end: Option<Timestamp>,
    /// When it is again and again, if it is: five fields, as cron has them, in UTC.
    #[n(3)]
    pub recurrence: Option<String>,
    /// The time zone as its owner wrote it, kept and shown: UTC by any of its names.
    #[n(4)]
    pub zone: Option<String>,
    /// The fewest from then on, if that is said.
    #[n(5)]
    pub min: Option<Workers>,
    /// The most, if that is said.
    #[n(6)]
    pub max: Option<Workers>,
    /// How many, if that is said.
    #[n(7)]
    pub desired: Option<Workers>,
    /// When it is next.
    #[n(8)]
    pub next: Timestamp,
}

/// A scheduled action was made, or set to something else; or it comes again later.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct ScheduledPut {
    /// Its name.
    #[n(0)]
    pub name: String,
    /// What it is from now on.
    #[n(1)]
    pub action: Scheduled,
}

impl Scheduled {
    /// When it is for the first time after `now`; never, if that would be after its end.
    pub fn first(
        (start, end): (Option<Timestamp>, Option<Timestamp>),
        recurrence: Option<&Cron>,
        now: Timestamp,
    ) -> Option<Timestamp> {
        let from = start.map_or(now, |start| start.max(now));
        let next = match recurrence {
            None => start,
            // What begins on the minute may be on that minute.
            Some(cron) if start.is_some_and(|start| start > now) => cron.at_or_after(from),
            Some(cron) => cron.after(from),
        };
        next.filter(|next| end.is_none_or(|end| *next <= end))
    }

    /// What is due of it by `now`, at `next` at the earliest: the last time that it was to be, and
    /// what it is after that, if it comes again. However many times were missed, it is once.
    fn due(&self, now: Timestamp) -> (Timestamp, Option<Self>) {
        let recurrence = self.recurrence.as_deref();
        let Some(cron) = recurrence.and_then(|text| text.parse::<Cron>().ok()) else {
            return (self.next, None);
        };
        let until = self.end.map_or(now, |end| end.min(now));
        let last = cron.last(self.next, until);
        let next = cron.after(last).filter(|next| self.end.is_none_or(|end| *next <= end));
        (last, next.map(|next| Self { next, ..self.clone() }))
    }
}

/// What happens to a group whose scheduled actions are looked at when it is `now`: what is due is
/// done, each by itself and once, and what is never due again is no more.
pub fn decide_by_schedule(group: &Group, now: Timestamp) -> Vec<What> {
    let mut whats = Vec::new();
    if group.closing {
        return whats;
    }
    let due = group.scheduled_actions().filter(|(_, it)| it.next <= now);
    let mut due: Vec<_> = due.map(|(name, it)| (it.due(now), name, it)).collect();
    due.sort_by_key(|((last, _), name, _)| (*last, *name));
    let mut draft = group.clone();
    for ((last, again), name, it) in due {
        let name = name.to_owned();
        let mut done = match again {
            Some(action) => vec![What::ScheduledPut(ScheduledPut { name: name.clone(), action })],
            None => vec![What::ScheduledDropped(name.clone())],
        };
        // What was due while this was suspended is left out.
        if group.does(Process::ScheduledActions) {
            done.extend(carried_out(&draft, name, it, last));
        }
        for what in done {
            draft.happened(&what).expect("what is decided on is about what is there");
            whats.push(what);
        }
    }
    whats
}

/// What an action makes of a group that was due at `at`. Limits that would not hold are left as
/// they are.
fn carried_out(group: &Group, action: String, it: &Scheduled, at: Timestamp) -> Vec<What> {
    let (min, max) = (it.min.unwrap_or(group.settings.min), it.max.unwrap_or(group.settings.max));
    if min > max {
        return Vec::new();
    }
    let mut whats = Vec::new();
    if (min, max) != (group.settings.min, group.settings.max) {
        whats.push(What::Set(Settings { min, max, ..group.settings.clone() }));
    }
    let desired = it.desired.unwrap_or(group.desired).clamp(min, max);
    if desired != group.desired {
        let step = Step { from: group.desired, to: desired };
        let (min, max, desired_told) = (it.min, it.max, it.desired);
        let cause = Cause::Scheduled { action, min, max, desired: desired_told, step };
        let said = Some(Said { at, cause });
        whats.push(What::Wanted(Wanted { desired, said }));
    }
    whats
}
