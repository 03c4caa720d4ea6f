//! The model's dead letters and moves: lists, from which messages are taken one by one.

use tidemill_journal::Position;

use super::{Rig, key, play};
use crate::commands::{BeginMove, CarryExhausted, EndMove, Redrive as RedriveSome, Redriving, Tag};
use crate::key::Sequence;
use crate::model::pond::{self, Modelled};
use crate::moves::MoveStatus;
use crate::record::{Carry, Record};
use crate::redrive::{DEAD_LETTER_EXPIRED_TAG, Redrive};
use crate::settings::Tags;

impl Rig {
    /// Somewhere, or nowhere; sometimes to a queue that cannot take them.
    pub(super) fn choose_redrive(&self) -> Option<Redrive> {
        let max_receives = u32::try_from(1 + self.dice(3)).unwrap();
        let redrive = Redrive { target: key(self.dice(4)), max_receives };
        (self.dice(4) > 0).then_some(redrive)
    }

    pub(super) fn tag(&mut self) {
        let Some(index) = self.pond() else { return };
        let queue = self.ponds[index].number;
        let value = if self.dice(3) == 0 { "false" } else { "true" };
        let set = Tags::from([(DEAD_LETTER_EXPIRED_TAG.into(), value.into())]);
        self.ponds[index].keeps_expired = value == "true";
        self.run(&Tag { queue, set, clear: Vec::new() }).unwrap();
    }

    pub(super) fn target(&self, index: usize) -> Option<usize> {
        pond::target(&self.ponds, index)
    }

    /// Moves messages of the model from one pond to another.
    pub(super) fn carry_modelled(
        &mut self,
        from: usize,
        chosen: &[(Sequence, Position)],
        too_old: bool,
    ) {
        let to = self.target(from).expect("they were carried somewhere");
        pond::carry(&mut self.ponds, (from, to), chosen, too_old, self.now);
    }

    /// What the records from the one with this number on have carried, in order.
    pub(super) fn carried_since(&self, first: usize) -> Vec<(Sequence, Position)> {
        let read = |(at, record): &(Position, tidemill_journal::Record)| match Record::read(
            record.as_ref(),
        )
        .unwrap()
        {
            Record::Carried(carried) => (carried.messages, *at),
            other => panic!("{other:?} carries nothing"),
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
            self.seen.insert("a dead letter");
            let carried = self.carried_since(first);
            assert!(carried.iter().map(|(sequence, _)| *sequence).eq(chosen));
            self.carry_modelled(index, &carried, false);
        }
    }

    fn exhausted(&self, index: usize, max: u8) -> Vec<Sequence> {
        let pond = &self.ponds[index];
        let redrive = pond.settings.redrive.as_ref().filter(|_| self.target(index).is_some());
        let Some(redrive) = redrive else { return Vec::new() };
        let is_exhausted = |sequence: &Sequence| {
            let found = pond.messages.iter().find(|message| message.sequence == *sequence);
            let message = found.unwrap();
            message.receives - message.receives_before >= redrive.max_receives
        };
        let heads = pond.heads(max.into(), self.now, self.durable);
        heads.into_iter().filter(is_exhausted).collect()
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
        let (to, max) = (self.pond().unwrap(), usize::try_from(self.dice(8)).unwrap());
        let pond = &self.ponds[index];
        let mut chosen = pond.messages.clone();
        chosen.retain(|one| one.seen_from < self.durable && one.due <= self.now);
        chosen.truncate(max);
        if to == index || chosen.is_empty() || pond.is_fifo() != self.ponds[to].is_fifo() {
            return;
        }
        self.seen.insert("a move");
        let destination = self.ponds[to].number;
        let redriving = |one: &Modelled| {
            let group = one.group.map(|group| group.to_string().into());
            Redriving { sequence: one.sequence, destination, group }
        };
        let messages = chosen.iter().map(redriving).collect();
        let first = self.log.len();
        self.run(&RedriveSome { queue, number, messages }).unwrap();
        for (record, one) in (first..).zip(chosen) {
            self.ponds[index].retain(|other| other.sequence != one.sequence);
            let (at, now, target) = (self.log[record].0, self.now, &mut self.ponds[to]);
            let delay = target.settings.delay;
            target.add(Modelled::new(target.next, at, now, delay, one.group));
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
