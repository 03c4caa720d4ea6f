//! What the ledger may conclude, as claims that each say one sentence.
//!
//! A page is judged when every queue was emptied after it, so that each message that is left was
//! received and deleted once more, at the reckoning. What is certain is only what was answered:
//! a request whose answer was lost was carried out, or was not. Each claim says in its first lines
//! what excuses a message from it.

mod order;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;

use crate::ledger::Page;
use crate::story::{Deed, Event, Group, Id, MARGIN, Sight, Story};

/// A promise that was not kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Violation {
    /// The promise.
    pub(crate) claim: &'static str,
    /// What was seen instead.
    pub(crate) detail: String,
}

impl Violation {
    pub(crate) fn of(claim: &'static str, detail: String) -> Self {
        Self { claim, detail }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.\n    {}", self.claim, self.detail)
    }
}

/// Finds what is wrong with one message's story, if anything.
type Claim = fn(&Story, &Page) -> Option<String>;

/// What is claimed of each message by itself.
const CLAIMS: &[(&str, Claim)] = &[
    ("A message that was acknowledged is there until it is deleted", lost),
    ("A message is in one place, once", doubled),
    ("A message whose deletion was acknowledged does not come back", risen),
    ("A message in flight is nobody else's, also after a crash", shared),
    ("Each receive counts one more than those before it", uncounted),
    ("Nothing is counted as a receive that nobody asked for", overcounted),
    ("A message keeps the identity that its sender was told", changed),
    ("A message that went elsewhere does not come back as what it was", returned),
];

/// Everything that is wrong with a page.
pub(crate) fn judge(page: &Page) -> Vec<Violation> {
    let mut found = page.violations.clone();
    for story in page.stories.values() {
        for (claim, find) in CLAIMS {
            if let Some(what) = find(story, page) {
                found.push(Violation::of(claim, format!("{what}: {story}")));
            }
        }
    }
    found.extend(page.lost_batches.iter().filter_map(|batch| torn(batch, page)));
    found.extend(order::broken(page));
    found
}

/// Excused: a message whose sending was not answered, and one that somebody asked to delete,
/// answered or not.
fn lost(story: &Story, _: &Page) -> Option<String> {
    story.receipt()?;
    let is_left = story.sights().any(|(_, sight)| sight.reckoned);
    (!is_left && story.deletion_began().is_none()).then(|| "lost".to_owned())
}

/// No excuse: the reckoning deletes what it receives, so that what is seen there twice was there
/// twice.
fn doubled(story: &Story, _: &Page) -> Option<String> {
    let left = story.sights().filter(|(_, sight)| sight.reckoned).count();
    (left > 1).then(|| format!("found {left} times at the reckoning"))
}

/// Excused: a receive that was sent before the deletion was answered. And where the deleter's
/// visibility timeout may have been over, the message may have gone to another queue before; then
/// it is only from the queue it was deleted from, and by that id, that it may not come.
fn risen(story: &Story, _: &Page) -> Option<String> {
    for deletion in &story.events {
        let Deed::Deleted { from, id, answered: true, received, held } = &deletion.deed else {
            continue;
        };
        let is_held = *held && story.was_held(*received, deletion.ended);
        let is_everywhere = is_held || !from.lets_go();
        let comes_back = story.sights().find(|(event, sight)| {
            let is_it = is_everywhere || (sight.from == *from && sight.id == *id);
            is_it && event.began > deletion.ended
        });
        if let Some((event, _)) = comes_back {
            let (deleted, received) = (deletion.ended.0, event.began.0);
            return Some(format!("deleted by {deleted}, received again from {received} on"));
        }
    }
    None
}

/// Excused: a message that somebody made visible, or may have.
fn shared(story: &Story, _: &Page) -> Option<String> {
    for (first, held) in story.sights() {
        let other = story.sights().find(|(event, _)| {
            let is_early = event.began > first.ended && event.at + MARGIN < held.until;
            is_early && story.was_held(first.began, event.ended)
        });
        if let Some((event, _)) = other {
            let early = held.until.saturating_sub(event.at).as_millis();
            return Some(format!("received by {}, {early} ms too early", event.ended.0));
        }
    }
    None
}

/// Excused: receives that overlap may be counted in either order, but not alike.
fn uncounted(story: &Story, _: &Page) -> Option<String> {
    let sights: Vec<_> = story.sights().collect();
    let wrong = |(event, sight): &(&Event, &Sight), (other, next): &(&Event, &Sight)| {
        sight.id == next.id
            && (sight.count == next.count
                || (event.ended < other.began && sight.count > next.count))
    };
    let pairs = sights.iter().enumerate();
    let mut pairs = pairs.flat_map(|(n, one)| sights[n + 1..].iter().map(move |it| (one, it)));
    let (one, other) = pairs.find(|(one, other)| wrong(one, other) || wrong(other, one))?;
    Some(format!("counted {} and then {}", one.1.count, other.1.count))
}

/// Excused: receives whose answers were lost may have counted each message once, in the queue or
/// in the one that its dead letter came from.
fn overcounted(story: &Story, page: &Page) -> Option<String> {
    let its = [Some(story.queue), story.queue.dead_letters(), Some(story.queue.elsewhere())];
    let lost = page.lost_receives.iter().filter(|(queue, _)| its.contains(&Some(**queue)));
    let lost: u32 = lost.map(|(_, times)| times).sum();
    let mut seen: BTreeMap<&Id, (u32, u32)> = BTreeMap::new();
    for (_, sight) in story.sights() {
        let (times, most) = seen.entry(&sight.id).or_default();
        (*times, *most) = (*times + 1, (*most).max(sight.count));
    }
    let (_, (times, most)) = seen.into_iter().find(|(_, (times, most))| *most > times + lost)?;
    Some(format!("counted {most} receives; answered {times}, at most {lost} lost"))
}

/// Excused: who is not in its first queue any more may have been moved by a task, as a new
/// message. The group stays in any case.
fn changed(story: &Story, _: &Page) -> Option<String> {
    let group = story.group.map(Group::name);
    if let Some((_, sight)) = story.sights().find(|(_, sight)| sight.group != group) {
        return Some(format!("received with the group {:?}", sight.group));
    }
    // Whom nobody was told of is whoever is seen first.
    let seen = || story.sights().map(|(_, sight)| (&sight.id, sight.sequence));
    let told = story.receipt().map(|told| (&told.id, told.sequence));
    let (id, sequence) = told.or_else(|| seen().next())?;
    let other = story.sights().find(|(_, sight)| {
        let is_first = sight.from == story.queue && sight.id == *id;
        let may_be_other = story.queue.lets_go();
        (is_first && sight.sequence != sequence) || (!may_be_other && sight.id != *id)
    });
    other.map(|(_, sight)| format!("received as {}, sequence {:?}", sight.id, sight.sequence))
}

/// No excuse: each step on its way, from a queue to its dead-letter queue and on as a new message,
/// is taken once and never back. A step was surely taken where one receive was answered before
/// the other was sent, or where a message was seen in the dead-letter queue by its old id.
fn returned(story: &Story, _: &Page) -> Option<String> {
    let is_same = |one: &Sight, other: &Sight| one.from == other.from && one.id == other.id;
    for (passing, there) in story.sights() {
        let again = story.sights().find(|(event, sight)| {
            let is_back = event.began > passing.ended && !is_same(sight, there);
            let is_as_before = |(earlier, it): (&Event, &Sight)| {
                earlier.ended < passing.began && is_same(it, sight)
            };
            let is_dead = sight.id == there.id && sight.from.dead_letters() == Some(there.from);
            is_back && (is_dead || story.sights().any(is_as_before))
        });
        if let Some((_, sight)) = again {
            let (queue, id) = (sight.from, &sight.id);
            return Some(format!("seen in {} and then again in {queue} as {id}", there.from));
        }
    }
    None
}

/// Excused: nothing. Every message that was ever stored is seen, at the reckoning at the latest:
/// nobody deletes what he has not received.
fn torn(batch: &[crate::body::Number], page: &Page) -> Option<Violation> {
    let is_there = |number| page.stories.get(number).is_some_and(|it| it.sights().count() > 0);
    let there = batch.iter().filter(|number| is_there(number)).count();
    let is_whole = there == 0 || there == batch.len();
    (!is_whole).then(|| {
        let first = batch[0].0;
        let detail = format!("of {} messages from {first} on {there} are there", batch.len());
        Violation::of("A batch is stored whole, or not at all", detail)
    })
}
