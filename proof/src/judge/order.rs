//! The order within message groups.
//!
//! One client sends to a group, a batch after the other, and sends again with the same ids until
//! it is answered: the numbers of a group are its order. Only the message as it was sent is
//! looked at: what became a dead letter lost its place.

use std::collections::BTreeMap;

use super::Violation;
use crate::ledger::Page;
use crate::queues::Queue;
use crate::story::{Deed, Event, Group, Moment, Sight, Story};

/// A message of a group, and from when on others need not wait for it.
struct Member<'a> {
    story: &'a Story,
    /// When somebody asked to delete it, or the beginning if it ever went to another queue: when
    /// it went, no client can know.
    free_from: Option<Moment>,
}

/// Where a later message was received though an earlier one was still before it.
pub(super) fn broken(page: &Page) -> Vec<Violation> {
    let mut groups: BTreeMap<(Queue, Group), Vec<Member<'_>>> = BTreeMap::new();
    for story in page.stories.values() {
        if let Some(group) = story.group {
            groups.entry((story.queue, group)).or_default().push(Member::of(story));
        }
    }
    groups.values().flat_map(|members| broken_in(members)).collect()
}

fn broken_in(members: &[Member<'_>]) -> Vec<Violation> {
    let mut found = Vec::new();
    let sequences = members.iter().filter_map(|it| Some((it.story, it.story.receipt()?.sequence)));
    let sequences: Vec<_> = sequences.collect();
    for pair in sequences.windows(2) {
        if pair[0].1 >= pair[1].1 {
            let claim = "Sequence numbers of a group rise as it is sent";
            found.push(Violation::of(claim, format!("{}\n    {}", pair[0].0, pair[1].0)));
        }
    }
    for (n, later) in members.iter().enumerate() {
        for (event, sight) in later.in_its_turn() {
            let waits = members[..n].iter().find(|earlier| earlier.is_before(event, sight));
            if let Some(earlier) = waits {
                let claim = "A group's messages come in the order in which they were sent";
                let detail = format!("{}\n    came before {}", later.story, earlier.story);
                found.push(Violation::of(claim, detail));
                // One is enough to look into; the rest follows from it.
                return found;
            }
        }
    }
    found
}

impl<'a> Member<'a> {
    fn of(story: &'a Story) -> Self {
        let as_sent = |sight: &Sight| is_as_sent(story, sight);
        let went = story.sights().any(|(_, sight)| !as_sent(sight));
        let free_from = if went { Some(Moment(0)) } else { story.deletion_began() };
        Self { story, free_from }
    }

    /// Those receives of it that had to wait for the messages before it. Excused: what a client
    /// made visible again by itself comes by itself.
    fn in_its_turn(&self) -> impl Iterator<Item = (&'a Event, &'a Sight)> {
        let story = self.story;
        let hidden = story.events.iter().filter(|it| matches!(it.deed, Deed::Hidden { .. }));
        let hidden = hidden.map(|event| event.began).min();
        story.sights().filter(move |(event, sight)| {
            is_as_sent(story, sight) && hidden.is_none_or(|hidden| hidden > event.ended)
        })
    }

    /// Whether this one should have come before, or with, that receive of a later one.
    fn is_before(&self, later: &Event, its: &Sight) -> bool {
        // What never was acknowledged may not have been stored.
        self.story.receipt().is_some()
            && self.free_from.is_none_or(|free| free > later.ended)
            && !self.story.sights().any(|(event, sight)| {
                event.began == later.began && sight.from == its.from && sight.place < its.place
            })
    }
}

/// Whether it was seen where it was sent, and as the message that its sender was told of.
fn is_as_sent(story: &Story, sight: &Sight) -> bool {
    sight.from == story.queue && story.receipt().is_none_or(|told| told.id == sight.id)
}
