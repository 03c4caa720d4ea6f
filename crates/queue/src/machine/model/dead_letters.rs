//! The model's dead letters and moves: lists, from which messages are taken one by one.

use super::*;
use crate::commands::{BeginMove, CarryExhausted, EndMove, Redrive as RedriveSome, Tag};
use crate::moves::MoveStatus;
use crate::record::{Carry, Record};
use crate::redrive::{DEAD_LETTER_EXPIRED_TAG, Redrive};

impl Rig {
    /// Sets, or clears, where a queue's dead letters go.
    pub(super) fn choose_redrive(&self) -> Option<Option<Redrive>> {
        let redrive = || Redrive {
            target: key(self.dice(3)),
            max_receives: u32::try_from(1 + self.dice(3)).unwrap(),
        };
        match self.dice(8) {
            0 => Some(None),
            1..4 => Some(Some(redrive())),
            _ => None,
        }
    }

    pub(super) fn tag(&mut self) {
        let Some(index) = self.pond() else { return };
        let queue = self.ponds[index].number;
        let value = if self.dice(2) == 0 { "true" } else { "false" };
        let set = Tags::from([(DEAD_LETTER_EXPIRED_TAG.into(), value.into())]);
        self.ponds[index].keeps_expired = value == "true";
        self.run(&Tag { queue, set, clear: Vec::new() }).unwrap();
    }

    /// The pond that takes the dead letters of another.
    pub(super) fn target(&self, index: usize) -> Option<usize> {
        let target = &self.ponds[index].settings.redrive.as_ref()?.target;
        let found = self.ponds.iter().position(|pond| pond.key == *target)?;
        (found != index).then_some(found)
    }

    /// Moves messages of the model from one pond to another, in this order, as the records at
    /// these positions do.
    pub(super) fn carry_modelled(
        &mut self,
        from: usize,
        chosen: &[(Sequence, Position)],
        too_old: bool,
    ) {
        let to = self.target(from).expect("they were carried somewhere");
        let source = self.ponds[from].number;
        for (sequence, seen_from) in chosen {
            let messages = &mut self.ponds[from].messages;
            let at = messages.iter().position(|message| message.sequence == *sequence).unwrap();
            let message = messages.remove(at);
            let target = &mut self.ponds[to];
            target.messages.push(Modelled {
                sequence: target.next,
                seen_from: *seen_from,
                due: self.now,
                delay: 0,
                came: self.now,
                ages_from: if too_old { self.now } else { message.sent },
                source: Some(source),
                ..message
            });
            target.next = target.next.next();
        }
    }

    /// What the records from the one with this number on have carried, in order.
    pub(super) fn carried_since(&self, first: usize) -> Vec<(Sequence, Position)> {
        let read = |(at, kind, payload): &(Position, Kind, Vec<u8>)| {
            let record = RecordRef { kind: *kind, version: VERSION, payload };
            match Record::read(record).unwrap() {
                Record::Carried(carried) => (carried.messages, *at),
                other => panic!("{other:?} carries nothing"),
            }
        };
        let carried = self.log[first..].iter().map(read);
        let each = |(messages, at): (Vec<Carry>, Position)| {
            messages.into_iter().map(move |one| (one.sequence, at))
        };
        carried.flat_map(each).collect()
    }

    /// What the engine does before a receive.
    pub(super) fn carry_exhausted(&mut self, index: usize, max: u8) {
        let queue = self.ponds[index].number;
        loop {
            let first = self.log.len();
            let cargo = self.run(&CarryExhausted { queue, max }).unwrap();
            let chosen = self.exhausted(index, max);
            assert_eq!(cargo.count, chosen.len());
            if chosen.is_empty() {
                assert_eq!((self.log.len(), cargo.target), (first, None));
                return;
            }
            assert_eq!(self.log.len(), first + 1);
            let carried = self.carried_since(first);
            assert!(carried.iter().map(|(sequence, _)| *sequence).eq(chosen));
            self.carry_modelled(index, &carried, false);
        }
    }

    fn exhausted(&self, index: usize, max: u8) -> Vec<Sequence> {
        let pond = &self.ponds[index];
        let Some(redrive) = pond.settings.redrive.as_ref().filter(|_| self.target(index).is_some())
        else {
            return Vec::new();
        };
        let mut heads: Vec<_> = pond.messages.iter().filter(|one| self.is_visible(one)).collect();
        heads.sort_by_key(|message| (message.due, message.sequence));
        heads.truncate(max.into());
        heads.retain(|message| message.receives >= redrive.max_receives);
        heads.iter().map(|message| message.sequence).collect()
    }

    fn is_visible(&self, message: &Modelled) -> bool {
        message.seen_from < self.durable && message.due <= self.now
    }

    /// Begins a move, takes one further, or ends one.
    pub(super) fn move_some(&mut self) {
        let Some(index) = self.pond() else { return };
        let queue = self.ponds[index].number;
        let active = self.machine.queue(queue).unwrap().facts.moves.active();
        let Some(number) = active.map(|task| task.plan.number) else {
            let is_dead = self.ponds.iter().any(|pond| {
                let redrive = pond.settings.redrive.as_ref();
                redrive.is_some_and(|redrive| redrive.target == self.ponds[index].key)
            });
            let begin = BeginMove { queue, destination: None, per_second: Some(7) };
            assert_eq!(self.run(&begin).is_ok(), is_dead);
            return;
        };
        if self.dice(4) == 0 {
            self.run(&EndMove { queue, number, status: MoveStatus::Completed }).unwrap();
            return;
        }
        let to = self.pond().unwrap();
        let mut chosen = self.ponds[index].messages.clone();
        chosen.retain(|message| self.is_visible(message));
        chosen.truncate(usize::try_from(self.dice(5)).unwrap());
        if to == index || chosen.is_empty() {
            return;
        }
        let destination = self.ponds[to].number;
        let messages = chosen.iter().map(|message| (message.sequence, destination)).collect();
        let first = self.log.len();
        self.run(&RedriveSome { queue, number, messages }).unwrap();
        self.ponds[index].messages.retain(|one| !chosen.iter().any(|c| c.sequence == one.sequence));
        let delay = self.ponds[to].settings.delay;
        for record in first..first + chosen.len() {
            let sequence = self.ponds[to].next;
            let message = self.fresh(sequence, record, delay);
            self.ponds[to].messages.push(message);
            self.ponds[to].next = sequence.next();
        }
    }
}

#[test]
fn every_message_is_in_one_queue_whichever_sections_the_log_is_folded_from() {
    let mut carried = 0;
    for seed in 200..212 {
        let rig = play(seed, 1_500);
        rig.compare_replays();
        let all = rig.ponds.iter().flat_map(|pond| &pond.messages);
        carried += all.filter(|message| message.source.is_some()).count();
    }
    assert!(carried > 50, "{carried} were carried");
}
