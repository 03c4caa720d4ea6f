//! The clients: what they ask next, and what they make of the answers.

use std::time::Duration;

use tidemill_base::{AccountId, Region};
use tidemill_queue::model::Seen;
use tidemill_queue::{
    Content, Delivery, Discipline, Holder, MoveId, NewMessage, QueueId, QueueKey, Receive, Redrive,
    Scope, SettingsChange, Tags,
};

use crate::asked::{Answer, Ask, Held};
use crate::tasks::{Decided, Task, brief};
use crate::world::World;

/// The queues' names. Those with a dead-letter queue name the one behind them.
const NAMES: [&str; 7] = ["plain", "work", "dead", "deader", "one.fifo", "two.fifo", "dead.fifo"];

/// The tag that has a queue keep what is too old as dead letters.
const EXPIRED: &str = tidemill_queue::DEAD_LETTER_EXPIRED_TAG;

/// What clients remember.
#[derive(Debug, Default)]
pub(crate) struct Clients {
    queues: Vec<(QueueId, Discipline)>,
    held: Vec<(QueueId, Held)>,
    moves: Vec<MoveId>,
}

impl Clients {
    /// Forgets whom it cannot ask any more.
    pub(crate) fn forget(&mut self, queue: QueueId) {
        self.queues.retain(|(id, _)| *id != queue);
    }

    pub(crate) fn know(&mut self, queues: impl Iterator<Item = (QueueId, Discipline)>) {
        self.queues = queues.collect();
    }

    pub(crate) fn forget_all(&mut self) {
        *self = Self::default();
    }

    pub(crate) fn held_count(&self) -> usize {
        self.held.len()
    }

    /// What was handed out since there were so many.
    pub(crate) fn held_since(&self, before: usize) -> Vec<Held> {
        self.held[before..].iter().map(|(_, held)| held.clone()).collect()
    }

    pub(crate) fn queues(&self) -> Vec<QueueId> {
        self.queues.iter().map(|(id, _)| *id).collect()
    }
}

impl World {
    pub(crate) fn ask_something(&self) {
        if self.tasks.borrow().len() >= self.plan.clients {
            return;
        }
        let ask = match self.dice.below(100) {
            0..4 => Some(self.create()),
            4..40 => self.send(),
            40..68 => self.receive(),
            68..82 => self.delete(),
            82..90 => self.hide(),
            90..92 => self.configure(),
            92..95 => self.move_task(),
            95 => self.tag(),
            96 if self.dice.once_in(4) => self.queue().map(|(queue, _)| Ask::Purge(queue)),
            97 if self.dice.once_in(4) => self.queue().map(|(queue, _)| Ask::Remove(queue)),
            _ => self.describe(),
        };
        let ask = ask.unwrap_or_else(|| self.create());
        self.begin(ask);
    }

    fn queue(&self) -> Option<(QueueId, Discipline)> {
        let clients = self.clients.borrow();
        let count = clients.queues.len();
        (count > 0).then(|| clients.queues[self.dice.index(count)])
    }

    pub(crate) fn create(&self) -> Ask {
        let name = self.dice.of(&NAMES);
        let is_fifo = name.contains(".fifo");
        let settings = SettingsChange {
            discipline: Some(if is_fifo { Discipline::Fifo } else { Discipline::Standard }),
            visibility: Some(Duration::from_secs(1 + self.dice.below(40))),
            deduplication_scope: Some(self.dice.of(&[Scope::Queue, Scope::Group])),
            redrive: Some(redrive(name, 1 + self.dice.below(3))),
            ..SettingsChange::default()
        };
        Ask::Create(key(name), settings)
    }

    fn configure(&self) -> Option<Ask> {
        let (queue, _) = self.queue()?;
        let change = match self.dice.below(4) {
            0 => SettingsChange { delay: Some(self.dice.seconds(8)), ..SettingsChange::default() },
            1 => {
                let retention = Some(Duration::from_secs(60 + self.dice.below(90_000)));
                SettingsChange { retention, ..SettingsChange::default() }
            }
            2 => {
                let visibility = Some(Duration::from_secs(1 + self.dice.below(60)));
                SettingsChange { visibility, ..SettingsChange::default() }
            }
            _ => {
                let name = self.dice.of(&NAMES);
                let redrive = Some(redrive(name, 1 + self.dice.below(3)));
                SettingsChange { redrive, ..SettingsChange::default() }
            }
        };
        Some(Ask::Configure(queue, change))
    }

    fn tag(&self) -> Option<Ask> {
        let (queue, _) = self.queue()?;
        let value = self.dice.of(&["true", "false"]);
        Some(Ask::Tag(queue, Tags::from([(EXPIRED.into(), value.into())])))
    }

    fn send(&self) -> Option<Ask> {
        let (queue, discipline) = self.queue()?;
        let count = self.dice.of(&[1, 1, 1, 3, 10]);
        let is_fifo = discipline == Discipline::Fifo;
        let messages = (0..count).map(|_| self.message(is_fifo)).collect();
        Some(Ask::Send(queue, messages))
    }

    fn message(&self, is_fifo: bool) -> NewMessage {
        let length = usize::try_from(self.dice.below(self.plan.longest_body)).unwrap_or_default();
        let body = self.ledger.borrow_mut().new_body(length);
        let has_group = is_fifo || self.dice.once_in(2);
        let group = has_group.then(|| self.dice.below(4).to_string());
        let known = is_fifo && self.dice.once_in(2);
        let deduplication = known.then(|| self.dice.below(30).to_string());
        let content = Content { body, group, deduplication, ..Content::default() };
        let delay = match self.dice.below(4) {
            0 => Some(self.dice.seconds(20)),
            1 => Some(Duration::ZERO),
            _ => None,
        };
        NewMessage { content, delay }
    }

    fn receive(&self) -> Option<Ask> {
        let (queue, _) = self.queue()?;
        let ask = Receive {
            max: self.dice.of(&[1, 2, 10]),
            visibility: self.dice.once_in(3).then(|| self.dice.seconds(30)),
            wait: Some(Duration::from_secs(self.dice.of(&[0, 0, 5, 20]))),
            attempt: self.dice.once_in(2).then(|| self.dice.below(3).to_string()),
            holder: Holder::from_u64(self.dice.below(4)),
        };
        Some(Ask::Receive(queue, ask))
    }

    /// Some of what came from one queue, mostly of late.
    fn held(&self) -> Option<(QueueId, Vec<Held>)> {
        let clients = self.clients.borrow();
        let count = clients.held.len();
        if count == 0 {
            return None;
        }
        let recent = count.min(if self.dice.once_in(4) { count } else { 20 });
        let one = |_| clients.held[count - 1 - self.dice.index(recent)].clone();
        let mut chosen = (0..self.dice.of(&[1, 1, 4, 10])).map(one);
        let (queue, first) = chosen.next()?;
        let others = chosen.filter(|(other, _)| *other == queue).map(|(_, held)| held);
        Some((queue, std::iter::once(first).chain(others).collect()))
    }

    fn delete(&self) -> Option<Ask> {
        self.held().map(|(queue, held)| Ask::Delete(queue, held))
    }

    fn hide(&self) -> Option<Ask> {
        let (queue, held) = self.held()?;
        let hide = |one| (one, Duration::from_secs(self.dice.below(3) * self.dice.below(40)));
        Some(Ask::Hide(queue, held.into_iter().map(hide).collect()))
    }

    fn move_task(&self) -> Option<Ask> {
        let moves = self.clients.borrow().moves.clone();
        if self.dice.once_in(4) && !moves.is_empty() {
            return Some(Ask::CancelMove(moves[self.dice.index(moves.len())]));
        }
        let (queue, _) = self.queue()?;
        let to = self.queue().filter(|_| self.dice.once_in(2)).map(|(to, _)| to);
        let pace = self.dice.once_in(2).then(|| self.dice.of(&[1, 5, 9]));
        Some(Ask::StartMove(queue, to, pace))
    }

    /// Looks at a queue, which is answered at once, and then receives from it.
    fn describe(&self) -> Option<Ask> {
        let (queue, _) = self.queue()?;
        if let Some(holder) = Holder::from_u64(1 + self.dice.below(3)) {
            self.engine().drain(holder, self.dice.once_in(3));
            self.add_to_digest(&self.engine().held(holder).to_le_bytes());
        }
        if let Ok(description) = self.engine().describe(queue) {
            self.add_to_digest(format!("{:?}", description.counts).as_bytes());
        }
        self.receive()
    }

    /// Takes an answer at its word, and holds it to what was foreseen.
    pub(crate) fn believe(&self, task: &Task, decided: &Decided, answer: &Answer) {
        match (&task.ask, answer) {
            (Ask::Create(_, settings), Answer::Created(Ok(created))) => {
                let discipline = settings.discipline.unwrap_or_default();
                let queues = &mut self.clients.borrow_mut().queues;
                if queues.iter().all(|(id, _)| *id != created.id) && self.mirror.has(created.id) {
                    queues.push((created.id, discipline));
                }
            }
            (Ask::Remove(queue), _) => self.clients.borrow_mut().forget(*queue),
            (Ask::Send(_, messages), Answer::Sent(Ok(sent))) => {
                let told = sent.iter().map(|one| one.duplicate);
                let foreseen = decided.duplicates.iter().map(|(_, is_duplicate)| *is_duplicate);
                if !told.eq(foreseen) && !self.mirror.is_lenient() {
                    let foreseen = &decided.duplicates;
                    self.violate(&format!("duplicates are {foreseen:?}: {}", brief(sent)));
                }
                let mut ledger = self.ledger.borrow_mut();
                let new = messages.iter().zip(sent).filter(|(_, sent)| !sent.duplicate);
                new.for_each(|(message, _)| ledger.acknowledged(&message.content.body));
            }
            (Ask::Receive(queue, ask), Answer::Received(Ok(got))) => {
                self.received(task, decided, (*queue, ask), got);
            }
            (Ask::Delete(..), Answer::Each(Ok(_))) => self.deleted(decided),
            (Ask::StartMove(..), Answer::Moving(Ok(id))) => {
                self.clients.borrow_mut().moves.push(*id);
            }
            _ => {}
        }
    }

    fn received(
        &self,
        task: &Task,
        decided: &Decided,
        (queue, ask): (QueueId, &Receive),
        got: &[Delivery],
    ) {
        // One that repeats another gets what that one got.
        let repeats = ask.attempt.is_some();
        if got.len() > usize::from(ask.max) && !repeats {
            self.violate(&format!("{} messages came for {}", got.len(), ask.max));
        }
        let at_once = ask.wait == Some(Duration::ZERO);
        let is_short = got.len() < usize::from(ask.max) && !repeats;
        let stays_away = ask.visibility != Some(Duration::ZERO);
        if at_once && is_short && stays_away && decided.has_more && !self.mirror.is_lenient() {
            self.violate(&format!(
                "{} of {} came from {queue}, which has more",
                got.len(),
                ask.max
            ));
        }
        for one in got {
            let delivered = self.ledger.borrow().delivered(&one.content.body, task.asked);
            if let Err(wrong) = delivered {
                self.violate(&format!("{queue} gave {wrong}"));
            }
            let held =
                Held { receipt: one.receipt, sequence: one.sequence, receive: one.receive_count };
            self.clients.borrow_mut().held.push((queue, held));
        }
    }

    fn deleted(&self, decided: &Decided) {
        let mut deleted = Vec::new();
        for seen in &decided.seen {
            if let Seen::Deleted(_, messages) = seen {
                deleted.extend(messages.iter().copied());
            }
        }
        let mut sequences: Vec<_> = deleted.iter().map(|(sequence, _)| *sequence).collect();
        sequences.sort_unstable();
        if sequences != decided.deletes && !self.mirror.is_lenient() {
            self.violate(&format!("deleted {sequences:?}, not {:?}", decided.deletes));
        }
        let mut ledger = self.ledger.borrow_mut();
        for (_, at) in deleted {
            ledger.is_gone(at, self.step.get());
        }
    }
}

fn key(name: &str) -> QueueKey {
    let name = name.parse().expect("the names are good ones");
    QueueKey { account: AccountId::DEFAULT, region: Region::default(), name }
}

/// Where dead letters of a queue go: to the next of their kind, and from the last nowhere.
fn redrive(name: &str, max_receives: u64) -> Option<Redrive> {
    let target = match name {
        "work" => "dead",
        "dead" => "deader",
        "one.fifo" | "two.fifo" => "dead.fifo",
        _ => return None,
    };
    let max_receives = u32::try_from(max_receives).unwrap_or(u32::MAX);
    Some(Redrive { target: key(target), max_receives })
}
