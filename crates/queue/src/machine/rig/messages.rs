//! What happens to messages, at random: in the machine, and in the model beside it.

use std::time::Duration;

use tidemill_base::MessageId;
use tidemill_journal::Position;

use super::{Rig, SECRET};
use crate::commands::{
    ChangeVisibility, Delete, DropOld, GiveBack, Relocate, Send, Sending, Take, Taken,
};
use crate::deduplication::{Mark, Marks};
use crate::holder::Holder;
use crate::message::Content;
use crate::model::pond::Modelled;
use crate::receipt::Receipt;
use crate::record::Header;
use crate::refusal::Refusal;

/// What a message is sent with.
#[derive(Clone, Copy)]
struct Wish {
    id: MessageId,
    delay: Option<Duration>,
    group: Option<u64>,
    deduplication: Option<u64>,
}

impl Wish {
    fn sending(&self) -> Sending {
        let group = self.group.map(|group| group.to_string());
        let deduplication = self.deduplication.map(|id| id.to_string());
        let content = Content { group: group.clone(), deduplication, ..Content::default() };
        let group = group.map(Into::into);
        Sending { id: self.id, delay: self.delay, group, marks: Marks::of(&content) }
    }
}

impl Rig {
    /// Up to ten messages of any groups.
    pub(super) fn send(&mut self) {
        let Some(index) = self.pond() else { return };
        let wishes = (0..=self.dice(10)).map(|_| self.wish(self.ponds[index].is_fifo())).collect();
        self.send_to(index, wishes);
    }

    /// One group takes as much as it can get.
    pub(super) fn crowd(&mut self) {
        let Some(index) = self.pond() else { return };
        let group = Some(self.dice(2));
        let wish = |_| Wish { group, delay: None, ..self.wish(false) };
        let wishes = (0..40 + self.dice(20)).map(wish).collect();
        self.send_to(index, wishes);
        for _ in 0..3 + self.dice(4) {
            self.receive_from(index, 10);
        }
    }

    fn wish(&self, is_fifo: bool) -> Wish {
        let delay = match self.dice(4) {
            0 => Some(Duration::from_secs(self.dice(30))),
            1 => Some(Duration::ZERO),
            _ => None,
        };
        let group = (is_fifo || self.dice(3) > 0).then(|| self.dice(5));
        let deduplication = (is_fifo && self.dice(2) == 0).then(|| self.dice(40));
        let id = MessageId::random(&self.chance);
        Wish { id, delay, group, deduplication }
    }

    fn send_to(&mut self, index: usize, wishes: Vec<Wish>) {
        let queue = self.ponds[index].number;
        let messages = wishes.iter().map(Wish::sending).collect();
        let mut next = self.log.len();
        let reply = self.run(&Send { queue, messages }).unwrap();
        assert_eq!(reply.len(), wishes.len());
        let (now, pond) = (self.now, &mut self.ponds[index]);
        for (sent, wish) in reply.into_iter().zip(wishes) {
            let group = wish.group.unwrap_or_default();
            let known = wish.deduplication.filter(|_| pond.is_fifo());
            let original = known.and_then(|known| pond.original(group, known, now));
            assert_eq!(sent.duplicate, original.is_some());
            if let Some(original) = original {
                self.seen.insert("a duplicate");
                assert_eq!(sent.sequence, original);
                continue;
            }
            assert_eq!(sent.id, wish.id);
            if let Some(known) = known {
                pond.remember(group, known, sent.sequence, now);
            }
            let own = wish.delay.filter(|_| !pond.is_fifo());
            let delay = own.unwrap_or(pond.settings.delay);
            pond.add(Modelled::new(sent.sequence, self.log[next].0, now, delay, wish.group));
            next += 1;
        }
        assert_eq!(next, self.log.len());
    }

    pub(super) fn receive(&mut self) {
        let Some(index) = self.pond() else { return };
        let max = u8::try_from(1 + self.dice(10)).unwrap();
        self.receive_from(index, max);
    }

    fn receive_from(&mut self, index: usize, max: u8) {
        let queue = self.ponds[index].number;
        let visibility = (self.dice(3) == 0).then(|| Duration::from_secs(self.dice(40)));
        let attempt = (self.dice(2) == 0).then(|| self.dice(3));
        let mark = attempt.map(|attempt| Mark::of(&[&attempt.to_string()]));
        self.carry_exhausted(index, max);
        let holder = Holder::from_u64(self.dice(4));
        let take = Take { queue, max, visibility, attempt: mark, holder };
        let taken = self.run(&take).unwrap();
        let (now, durable) = (self.now, self.durable);
        let pond = &mut self.ponds[index];
        let until = now + visibility.unwrap_or(pond.settings.visibility);
        let by = (attempt, holder);
        let expected = pond.receive(usize::from(max), until, by, now, durable);
        assert_eq!(taken.len(), expected.len());
        for (taken, expected) in taken.iter().zip(expected) {
            assert_eq!(taken.sequence, expected.sequence);
            assert_eq!(taken.position, expected.position);
            assert_eq!(taken.receive, expected.receives);
            assert_eq!(taken.sent, expected.sent);
            assert_eq!(taken.passage.map(|passage| passage.source), expected.source);
        }
        pond.taken.extend(taken);
    }

    /// Some receive that happened: the message may be gone by now, or with somebody else.
    fn some_taken(&self, index: usize) -> Option<Taken> {
        let taken = &self.ponds[index].taken;
        let count = u64::try_from(taken.len()).unwrap();
        // Mostly recent ones.
        let back = self.dice(count.clamp(1, if self.dice(4) == 0 { count.max(1) } else { 20 }));
        (count > 0).then(|| taken[usize::try_from(count - 1 - back).unwrap()])
    }

    fn receipt(&self, index: usize, taken: Taken) -> Receipt {
        let queue = self.machine.id(self.ponds[index].number);
        Receipt::new(queue, taken.sequence, taken.receive, SECRET)
    }

    pub(super) fn delete(&mut self) {
        let Some(index) = self.pond() else { return };
        let taken: Vec<_> = (0..3).filter_map(|_| self.some_taken(index)).collect();
        let receipts: Vec<_> = taken.iter().map(|one| self.receipt(index, *one)).collect();
        let queue = self.ponds[index].number;
        let reply = self.run(&Delete { queue, receipts }).unwrap();
        let (now, pond) = (self.now, &mut self.ponds[index]);
        let (before, is_fifo) = (pond.messages.len(), pond.is_fifo());
        let is_over = |taken: &Taken| {
            let found = pond.messages.iter().find(|message| message.sequence == taken.sequence);
            found.is_some_and(|m| is_fifo && (m.receives != taken.receive || m.due <= now))
        };
        let (over, good): (Vec<_>, Vec<_>) = taken.iter().copied().partition(is_over);
        let refused = reply.answers.iter().filter(|one| **one == Err(Refusal::ReceiptExpired));
        assert_eq!(refused.count(), over.len());
        assert_eq!(reply.answers.iter().filter(|answer| answer.is_ok()).count(), good.len());
        self.seen.extend((!over.is_empty()).then_some("an expired receipt"));
        pond.retain(|message| good.iter().all(|taken| taken.sequence != message.sequence));
        assert_eq!(reply.deleted, before - pond.messages.len());
    }

    pub(super) fn hide(&mut self) {
        let Some(index) = self.pond() else { return };
        let Some(taken) = self.some_taken(index) else { return };
        let hidden = Duration::from_secs(self.dice(3) * self.dice(60));
        let changes = vec![(self.receipt(index, taken), hidden)];
        let queue = self.ponds[index].number;
        let reply = self.run(&ChangeVisibility { queue, changes }).unwrap();
        let (due, pond) = (self.now + hidden, &mut self.ponds[index]);
        let found = pond.messages.iter().find(|message| message.sequence == taken.sequence);
        let is_fifo = pond.is_fifo();
        match found.filter(|message| !is_fifo || message.receives == taken.receive) {
            Some(message) if hidden > Duration::ZERO && message.is_overtime(self.now, hidden) => {
                assert_eq!(reply, [Err(Refusal::HiddenTooLong { asked: hidden })]);
                self.seen.insert("hidden for too long");
            }
            Some(_) => {
                pond.hide(taken.sequence, due);
                assert_eq!(reply, [Ok(())]);
            }
            None => assert_eq!(reply, [Err(Refusal::MessageGone)]),
        }
    }

    pub(super) fn give_back(&mut self) {
        let Some(index) = self.pond() else { return };
        let Some(taken) = self.some_taken(index) else { return };
        let (queue, now) = (self.ponds[index].number, self.now);
        self.run(&GiveBack { queue, taken: vec![taken] }).unwrap();
        let pond = &mut self.ponds[index];
        let found = pond.messages.iter().find(|message| message.sequence == taken.sequence);
        if found.is_some_and(|message| message.receives == taken.receive && message.due > now) {
            pond.take_back(taken.sequence, now);
        }
    }

    pub(super) fn relocate(&mut self) {
        let Some(index) = self.pond() else { return };
        let count = u64::try_from(self.ponds[index].messages.len()).unwrap();
        if count == 0 {
            return;
        }
        let chosen = usize::try_from(self.dice(count)).unwrap();
        let message = self.ponds[index].messages[chosen].clone();
        let Modelled { sequence, sent, delay, position: from, seen_from, .. } = message;
        // Only what is durable is ever moved, and nobody asks where a message is before it is so
        // again.
        if seen_from >= self.durable {
            return;
        }
        let queue = self.ponds[index].number;
        let group = message.group.map(|group| group.to_string().into());
        let header = Header { queue, sequence, sent, delay, group, known: None };
        let at = self.log.len();
        let relocate = Relocate { header, from };
        self.run(&relocate).unwrap();
        self.ponds[index].messages[chosen].position = self.log[at].0;
        self.durable = self.durable.max(Position::from_u64(self.end));
        assert_eq!(self.run(&relocate), Err(Refusal::MessageGone));
    }

    pub(super) fn drop_old(&mut self) {
        let Some(index) = self.pond() else { return };
        let queue = self.ponds[index].number;
        loop {
            let first = self.log.len();
            let dropped = self.run(&DropOld { queue }).unwrap();
            let (now, durable) = (self.now, self.durable);
            let retention = self.ponds[index].settings.retention;
            let is_old = |m: &Modelled| m.ages_from + retention <= now && m.seen_from < durable;
            if self.ponds[index].keeps_expired && self.target(index).is_some() {
                let gone = self.carried_since(first);
                let old = self.ponds[index].messages.iter().filter(|message| is_old(message));
                assert_eq!((gone.len(), dropped.cargo.count), (old.count().min(512), gone.len()));
                self.seen.extend((!gone.is_empty()).then_some("a second life"));
                self.carry_modelled(index, &gone, true);
            } else {
                self.ponds[index].retain(|message| !is_old(message));
            }
            if !dropped.more {
                break;
            }
        }
    }
}
