//! Folding again: from the start, or from sections that were taken at different moments.

use tidemill_journal::{Position, RecordRef};

use super::{Rig, Section};
use crate::machine::{Machine, SHARD_SECTION, section_name};
use crate::model::pond::Pond;

impl Rig {
    pub(super) fn take_section(&mut self) {
        let end = Position::from_u64(self.end);
        if self.dice(3) == 0 {
            self.checkpoint = vec![(SHARD_SECTION.into(), end, self.machine.write_shard())];
            for queue in self.machine.queues() {
                let name = section_name(queue.facts.number);
                let taken = self.sections.iter().find(|(other, ..)| *other == name).cloned();
                let now = || (name, end, queue.view().write());
                self.checkpoint.push(taken.unwrap_or_else(now));
            }
        } else if let Some(index) = self.pond() {
            let number = self.ponds[index].number;
            let view = self.machine.queue(number).unwrap().view();
            let name = section_name(number);
            self.sections.retain(|(other, ..)| *other != name);
            self.sections.push((name, end, view.write()));
        }
    }

    /// Everything that is recorded, as bytes.
    pub(super) fn bytes(machine: &Machine) -> Vec<(String, Vec<u8>)> {
        let mut all = vec![(SHARD_SECTION.to_owned(), machine.write_shard())];
        all.extend(
            machine.queues().map(|queue| (section_name(queue.facts.number), queue.view().write())),
        );
        all
    }

    fn refold(&self, sections: &[Section], from: Position) -> Machine {
        let mut machine = Machine::default();
        for (name, at, bytes) in sections {
            machine.fold_section(name, *at, bytes).unwrap();
        }
        for (at, record) in self.log.iter().filter(|(at, _)| *at >= from) {
            let record: RecordRef<'_> = record.as_ref();
            machine.fold_record(*at, record).unwrap();
        }
        machine.recovered();
        machine
    }

    pub(super) fn compare_replays(&self) {
        let live = Self::bytes(&self.machine);
        assert!(Self::bytes(&self.refold(&[], Position::ZERO)) == live, "from the start");
        if let Some(replay_from) = self.checkpoint.iter().map(|(_, at, _)| *at).min() {
            let again = self.refold(&self.checkpoint, replay_from);
            assert!(Self::bytes(&again) == live, "from a checkpoint and the log after it");
        }
    }

    /// A restart: everything so far is durable, and the state is what the checkpoint and the log
    /// say.
    pub(super) fn restart(&mut self) {
        self.durable = Position::from_u64(self.end);
        let replay_from = self.checkpoint.iter().map(|(_, at, _)| *at).min();
        self.machine = self.refold(&self.checkpoint, replay_from.unwrap_or_default());
        self.ponds.iter_mut().for_each(Pond::restart);
    }
}
