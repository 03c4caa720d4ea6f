//! The model: a queue as one list of messages, searched each time. Nothing in it is fast, and all
//! of it is obvious.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tidemill_base::Timestamp;
use tidemill_journal::Position;

use crate::commands::Taken;
use crate::holder::Holder;
use crate::key::{QueueKey, QueueNumber, Sequence};
use crate::settings::{Discipline, Scope, Settings};
use crate::stock::{Counts, delay_seconds};

const FIVE_MINUTES: Duration = Duration::from_mins(5);

/// A message in the model.
#[derive(Clone, Debug)]
pub(crate) struct Modelled {
    pub(crate) sequence: Sequence,
    pub(crate) position: Position,
    pub(crate) sent: Timestamp,
    #[cfg_attr(not(test), expect(dead_code, reason = "the machine's tests ask for it"))]
    pub(crate) delay: u16,
    pub(crate) due: Timestamp,
    pub(crate) receives: u32,
    /// How many of those were in other queues.
    pub(crate) receives_before: u32,
    /// The last time.
    pub(crate) received: Option<Timestamp>,
    /// By whom.
    pub(crate) holder: Option<Holder>,
    pub(crate) was_touched: bool,
    /// In a FIFO queue 0 if it has none.
    pub(crate) group: Option<u64>,
    /// It is seen once this is durable: its own record, or the one that brought it.
    pub(crate) seen_from: Position,
    pub(crate) came: Timestamp,
    pub(crate) ages_from: Timestamp,
    /// The queue that it came from.
    pub(crate) source: Option<QueueNumber>,
    /// Where it was first recorded, before it was moved or carried anywhere: what tells it from
    /// all others.
    #[cfg_attr(not(feature = "model"), expect(dead_code, reason = "only the mirror asks"))]
    pub(crate) origin: Position,
}

impl Modelled {
    /// One that was just sent.
    pub(crate) fn new(
        sequence: Sequence,
        position: Position,
        now: Timestamp,
        delay: Duration,
        group: Option<u64>,
    ) -> Self {
        Self {
            sequence,
            position,
            sent: now,
            delay: delay_seconds(delay),
            due: now + delay,
            receives: 0,
            receives_before: 0,
            received: None,
            holder: None,
            was_touched: false,
            group,
            seen_from: position,
            came: now,
            ages_from: now,
            source: None,
            origin: position,
        }
    }
}

/// A receive that can be repeated.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    attempt: u64,
    at: Timestamp,
    until: Timestamp,
    given: Vec<Sequence>,
    /// Something else happened to what it was given.
    is_void: bool,
}

/// A queue in the model.
#[derive(Clone, Debug)]
pub(crate) struct Pond {
    pub(crate) number: QueueNumber,
    pub(crate) key: QueueKey,
    /// The sequence that the next message gets.
    pub(crate) next: Sequence,
    pub(crate) keeps_expired: bool,
    pub(crate) settings: Settings,
    pub(crate) messages: Vec<Modelled>,
    #[cfg_attr(not(test), expect(dead_code, reason = "the machine's tests choose among them"))]
    pub(crate) taken: Vec<Taken>,
    pub(crate) purged: Option<Timestamp>,
    /// What it was sent, by group if that is its scope.
    remembered: Vec<(Option<u64>, u64, Sequence, Timestamp)>,
    asked: Vec<Asked>,
    /// Of each group, when it joined the line or was last served: the longest ago comes first.
    line: Vec<u64>,
    last_sent: BTreeMap<u64, Timestamp>,
    noisy: BTreeSet<u64>,
    /// When the queue was last looked at, and for how long it has been.
    looked: Option<Timestamp>,
    millis: u64,
    /// What there was in flight, times for how long: all, and that of each group that ever was.
    all_work: u64,
    work: BTreeMap<u64, u64>,
    scope: Scope,
}

impl Pond {
    pub(crate) fn new(number: QueueNumber, key: QueueKey, settings: Settings) -> Self {
        Self {
            number,
            key,
            next: Sequence(1),
            keeps_expired: false,
            scope: settings.deduplication_scope,
            settings,
            messages: Vec::new(),
            taken: Vec::new(),
            purged: None,
            remembered: Vec::new(),
            asked: Vec::new(),
            line: Vec::new(),
            last_sent: BTreeMap::new(),
            noisy: BTreeSet::new(),
            looked: None,
            millis: 0,
            all_work: 0,
            work: BTreeMap::new(),
        }
    }

    pub(crate) fn is_fifo(&self) -> bool {
        self.settings.discipline == Discipline::Fifo
    }

    /// The message that one known by `id` would repeat.
    pub(crate) fn original(&self, group: u64, id: u64, now: Timestamp) -> Option<Sequence> {
        let group = (self.scope == Scope::Group).then_some(group);
        let mut recent = self.remembered.iter().rev();
        let found = recent.find(|it| (it.0, it.1) == (group, id) && it.3 + FIVE_MINUTES > now);
        found.map(|it| it.2)
    }

    pub(crate) fn remember(&mut self, group: u64, id: u64, sequence: Sequence, now: Timestamp) {
        // Should the clock go back, what was sent before counts as sent then.
        self.remembered.iter_mut().for_each(|it| it.3 = it.3.min(now));
        let group = (self.scope == Scope::Group).then_some(group);
        self.remembered.push((group, id, sequence, now));
    }

    pub(crate) fn add(&mut self, message: Modelled) {
        if let Some(group) = message.group {
            if !self.messages.iter().any(|other| other.group == Some(group))
                && self.work_of(group) * 100 <= self.all_work
            {
                self.work.remove(&group);
            }
            if !self.line.contains(&group) {
                self.line.push(group);
            }
            self.last_sent.insert(group, message.sent);
        }
        assert_eq!(message.sequence, self.next);
        self.next = self.next.next();
        self.messages.push(message);
    }

    pub(crate) fn configure(&mut self, settings: Settings, now: Timestamp) {
        if self.is_fifo() && settings.delay != self.settings.delay {
            for message in &mut self.messages {
                if !message.was_touched && message.due > now {
                    message.due = message.sent + settings.delay;
                }
            }
        }
        self.settings = settings;
    }

    pub(crate) fn clear(&mut self) {
        self.messages.clear();
        self.remembered.clear();
        self.asked.clear();
        self.forget_groups();
        self.forget_work();
    }

    fn work_of(&self, group: u64) -> u64 {
        self.work.get(&group).copied().unwrap_or_default()
    }

    fn forget_work(&mut self) {
        (self.looked, self.millis, self.all_work) = (None, 0, 0);
        self.work.clear();
    }

    pub(crate) fn retain(&mut self, keep: impl Fn(&Modelled) -> bool) {
        self.messages.retain(keep);
        self.forget_groups();
    }

    /// A group that holds nothing is no more.
    fn forget_groups(&mut self) {
        let is_there = |group: &u64| self.messages.iter().any(|m| m.group == Some(*group));
        self.line.retain(is_there);
        self.last_sent.retain(|group, _| is_there(group));
        self.noisy.retain(is_there);
    }

    /// Finds a message that something happens to: no earlier receive can be repeated with it.
    pub(crate) fn touch(&mut self, sequence: Sequence) -> Option<&mut Modelled> {
        for asked in &mut self.asked {
            asked.is_void |= asked.given.contains(&sequence);
        }
        let found = self.messages.iter_mut().find(|message| message.sequence == sequence)?;
        found.was_touched = true;
        Some(found)
    }

    /// Undoes a receive.
    pub(crate) fn take_back(&mut self, sequence: Sequence, now: Timestamp) {
        if let Some(message) = self.touch(sequence) {
            message.due = now;
            message.receives -= 1;
            message.received = message.received.filter(|_| message.receives > 0);
            message.holder = None;
        }
    }

    /// Makes visible later; an earlier receive can still be repeated if that changes nothing.
    pub(crate) fn hide(&mut self, sequence: Sequence, due: Timestamp) {
        let found = self.messages.iter().find(|message| message.sequence == sequence);
        if found.is_some_and(|message| message.due != due) {
            self.touch(sequence);
        }
        for message in self.messages.iter_mut().filter(|message| message.sequence == sequence) {
            message.due = due;
            message.was_touched = true;
        }
    }

    /// What a receive gets.
    #[cfg(test)]
    pub(crate) fn receive(
        &mut self,
        max: usize,
        until: Timestamp,
        (attempt, holder): (Option<u64>, Option<Holder>),
        now: Timestamp,
        durable: Position,
    ) -> Vec<Modelled> {
        let attempt = attempt.filter(|_| self.is_fifo());
        if let Some(attempt) = attempt.filter(|attempt| self.repeats(*attempt, now)) {
            return self.repeat(attempt, until, holder);
        }
        let chosen = self.heads(max, now, durable);
        self.give(chosen, until, (attempt, holder), now)
    }

    /// Hands these messages out.
    pub(crate) fn give(
        &mut self,
        chosen: Vec<Sequence>,
        until: Timestamp,
        (attempt, holder): (Option<u64>, Option<Holder>),
        now: Timestamp,
    ) -> Vec<Modelled> {
        let given = chosen.iter().filter_map(|sequence| {
            let message = self.touch(*sequence)?;
            message.receives += 1;
            message.received = Some(now);
            message.holder = holder;
            message.due = until;
            Some(message.clone())
        });
        let given: Vec<_> = given.collect();
        for message in given.iter().filter(|_| self.settings.discipline == Discipline::Fifo) {
            // Once for each of its messages comes to the same as once.
            self.line.retain(|group| Some(*group) != message.group);
            self.line.extend(message.group);
        }
        if let Some(attempt) = attempt.filter(|_| !given.is_empty()) {
            self.asked.retain(|asked| asked.attempt != attempt);
            self.asked.push(Asked { attempt, at: now, until, given: chosen, is_void: false });
        }
        given
    }

    /// Whether an earlier receive can be repeated.
    pub(crate) fn repeats(&self, attempt: u64, now: Timestamp) -> bool {
        let is_there = |one: &Sequence| self.messages.iter().any(|it| it.sequence == *one);
        let asked = self.asked.iter().find(|asked| asked.attempt == attempt);
        asked.is_some_and(|asked| {
            let is_out = asked.until > now && asked.given.iter().all(is_there);
            !asked.is_void && asked.at + FIVE_MINUTES > now && is_out
        })
    }

    /// Gives again what an earlier receive gave. Whether it can be is not asked: once it is
    /// recorded it was.
    pub(crate) fn repeat(
        &mut self,
        attempt: u64,
        until: Timestamp,
        holder: Option<Holder>,
    ) -> Vec<Modelled> {
        let asked = self.asked.iter_mut().find(|asked| asked.attempt == attempt);
        let Some(asked) = asked else { return Vec::new() };
        asked.until = until;
        let find = |one: &Sequence| {
            let message = self.messages.iter_mut().find(|message| message.sequence == *one)?;
            message.due = until;
            message.holder = holder;
            Some(message.clone())
        };
        asked.given.iter().filter_map(find).collect()
    }

    /// Who is next.
    pub(crate) fn heads(&self, max: usize, now: Timestamp, durable: Position) -> Vec<Sequence> {
        if self.is_fifo() { self.in_line(max, now, durable) } else { self.fair(max, now, durable) }
    }

    /// Whole groups, each up to its first message that is out or not due.
    fn in_line(&self, max: usize, now: Timestamp, durable: Position) -> Vec<Sequence> {
        let of_group = |group: u64| {
            let all = self.messages.iter().filter(move |message| message.group == Some(group));
            all.take_while(|m| m.due <= now && m.seen_from < durable).map(|m| m.sequence)
        };
        self.line.iter().flat_map(|group| of_group(*group)).take(max).collect()
    }

    /// The quiet by their turns, then of the noisy whoever has fewest in flight.
    fn fair(&self, max: usize, now: Timestamp, durable: Position) -> Vec<Sequence> {
        let mut chosen: Vec<Sequence> = Vec::new();
        while chosen.len() < max {
            let noise = |message: &Modelled| match message.group {
                Some(group) if self.noisy.contains(&group) => {
                    let of_group = |m: &&Modelled| m.group == Some(group);
                    let all = self.messages.iter().filter(of_group);
                    1 + all.filter(|m| is_out(m, now) || chosen.contains(&m.sequence)).count()
                }
                _ => 0,
            };
            let waits = |m: &&Modelled| {
                m.due <= now && m.seen_from < durable && !chosen.contains(&m.sequence)
            };
            let next = self.messages.iter().filter(waits);
            let next = next.min_by_key(|m| (noise(m), turn(m), m.sequence)).map(|m| m.sequence);
            let Some(next) = next else { break };
            chosen.push(next);
        }
        chosen
    }

    /// Counts work up to now: from one time to the next at which something changes.
    fn count_work(&mut self, now: Timestamp) {
        let mut from = self.looked.replace(now).unwrap_or(now);
        while from < now {
            let minute = from + Duration::from_millis(60_000 - self.millis % 60_000);
            let is_out = |m: &&Modelled| m.receives > 0 && m.due > from && m.came <= from;
            let out: Vec<_> = self.messages.iter().filter(is_out).collect();
            let next = out.iter().map(|message| message.due).min();
            let next = next.into_iter().chain([minute, now]).min();
            let next = next.expect("there is always the next minute");
            let millis = next.as_millis() - from.as_millis();
            for message in out {
                self.all_work += millis;
                if let Some(group) = message.group {
                    *self.work.entry(group).or_default() += millis;
                }
            }
            self.millis += millis;
            if next == minute {
                self.all_work /= 2;
                self.work.values_mut().for_each(|work| *work /= 2);
            }
            from = next;
        }
    }

    /// Who is noisy, each time that the queue moves on. Says if one is so by its work alone.
    pub(crate) fn judge(&mut self, now: Timestamp) -> bool {
        if self.is_fifo() {
            return false;
        }
        self.count_work(now);
        let mut by_work = false;
        let total = self.messages.iter().filter(|message| is_out(message, now)).count();
        for (group, last_sent) in &self.last_sent {
            let of_group = || self.messages.iter().filter(|m| m.group == Some(*group));
            let out = of_group().filter(|message| is_out(message, now)).count();
            let waits = of_group().count() > out;
            let (flies, works) = (out * 10 > total, self.work_of(*group) * 10 > self.all_work);
            let by_number = flies && out >= 30;
            let begins = by_number || works && self.all_work >= 60_000;
            let goes_on = self.noisy.contains(group) && (flies || works);
            if waits && *last_sent + FIVE_MINUTES > now && (begins || goes_on) {
                by_work |= self.noisy.insert(*group) && !by_number;
            } else {
                self.noisy.remove(group);
            }
        }
        by_work
    }

    /// What a restart forgets.
    pub(crate) fn restart(&mut self) {
        self.noisy.clear();
        self.forget_work();
        for (group, sent) in &mut self.last_sent {
            let last = self.messages.iter().rfind(|message| message.group == Some(*group));
            *sent = last.expect("a group that holds nothing is no more").sent;
        }
    }

    pub(crate) fn counts(&self, now: Timestamp, durable: Position) -> Counts {
        let there = || self.messages.iter().filter(|m| m.seen_from < durable);
        let visible = || there().filter(|m| m.due <= now);
        let is_noisy = |m: &&Modelled| m.group.is_some_and(|group| self.noisy.contains(&group));
        let busy: BTreeSet<_> = there().filter(|m| is_out(m, now)).map(|m| m.group).collect();
        Counts {
            visible: visible().count(),
            in_flight: there().filter(|m| is_out(m, now)).count(),
            delayed: there().filter(|m| m.due > now && m.receives == 0).count(),
            oldest: there().map(|m| m.came).min(),
            groups_in_flight: if self.is_fifo() { busy.len() } else { 0 },
            noisy_groups: self.noisy.len(),
            visible_quiet: visible().filter(|m| !is_noisy(m)).count(),
        }
    }

    /// Who has how many messages.
    pub(crate) fn holders(&self, now: Timestamp, durable: Position) -> BTreeMap<Holder, usize> {
        let mut holders = BTreeMap::new();
        let out = self.messages.iter().filter(|m| m.seen_from < durable && is_out(m, now));
        for holder in out.filter_map(|message| message.holder) {
            *holders.entry(holder).or_default() += 1;
        }
        holders
    }
}

impl Modelled {
    /// Whether it would be hidden for more than twelve hours since it was last received.
    pub(crate) fn is_overtime(&self, now: Timestamp, hidden: Duration) -> bool {
        let since = self.received.map_or(Duration::ZERO, |received| now.since(received));
        since.as_secs() + hidden.as_secs() > 12 * 3600
    }
}

fn is_out(message: &Modelled, now: Timestamp) -> bool {
    message.due > now && message.receives > 0
}

/// What comes back has its old place, by when it was sent; the third time and later it goes to
/// the back.
fn turn(message: &Modelled) -> Timestamp {
    match message.receives - message.receives_before {
        1 | 2 => message.sent,
        _ => message.due,
    }
}

/// Takes messages from one pond to another, in this order, as the records at these positions do.
pub(crate) fn carry(
    ponds: &mut [Pond],
    (from, to): (usize, usize),
    chosen: &[(Sequence, Position)],
    too_old: bool,
    now: Timestamp,
) {
    let source = ponds[from].number;
    for (sequence, seen_from) in chosen {
        let found = ponds[from].messages.iter().find(|one| one.sequence == *sequence);
        let Some(message) = found.cloned() else { continue };
        ponds[from].retain(|one| one.sequence != *sequence);
        let target = &mut ponds[to];
        let sent = if target.is_fifo() { now } else { message.sent };
        target.add(Modelled {
            sequence: target.next,
            seen_from: *seen_from,
            sent,
            due: now,
            delay: 0,
            was_touched: true,
            group: message.group.filter(|_| target.is_fifo()),
            came: now,
            ages_from: if too_old || message.ages_from != message.sent { now } else { sent },
            source: Some(source),
            receives_before: message.receives,
            received: None,
            holder: None,
            ..message
        });
    }
}

/// The pond that takes the dead letters of another.
pub(crate) fn target(ponds: &[Pond], index: usize) -> Option<usize> {
    let target = &ponds[index].settings.redrive.as_ref()?.target;
    let found = ponds.iter().position(|pond| pond.key == *target)?;
    let is_alike = ponds[found].is_fifo() == ponds[index].is_fifo();
    (is_alike && found != index).then_some(found)
}
