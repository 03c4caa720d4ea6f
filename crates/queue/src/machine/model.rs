//! The machine against a model that is obviously right: one list of messages, searched each time.
//!
//! Thousands of random commands, with a clock that moves, a disk that lags, and checks after each
//! of them. Along the way: folding the records again, from the start or from sections taken at
//! different moments, gives the same state, byte for byte.

use std::time::Duration;

use tidemill_base::{AccountId, Chance, MessageId, Region, Timestamp};
use tidemill_journal::{Kind, Position, RecordRef};

use super::{Command, Machine, SHARD_SECTION, section_name};
use crate::commands::{
    ChangeVisibility, Configure, Create, Delete, DropOld, Found, GiveBack, Purge, Relocate, Remove,
    Send, Take, Taken,
};
use crate::content::Packed;
use crate::key::{QueueKey, QueueNumber, Sequence};
use crate::message::Content;
use crate::receipt::{Receipt, Secret};
use crate::record::{Header, VERSION};
use crate::refusal::{PURGE_PAUSE, Refusal};
use crate::settings::{Settings, SettingsChange, Tags};
use crate::stock::Counts;

const SECRET: Secret = Secret([7; 16]);

/// A message in the model.
#[derive(Clone, Debug)]
struct Modelled {
    sequence: Sequence,
    position: Position,
    sent: Timestamp,
    delay: u16,
    due: Timestamp,
    receives: u32,
}

/// A queue in the model.
#[derive(Debug)]
struct Pond {
    number: QueueNumber,
    settings: Settings,
    messages: Vec<Modelled>,
    taken: Vec<Taken>,
    purged: Option<Timestamp>,
}

/// A section: its name, where it was taken, and what it says.
type Section = (String, Position, Vec<u8>);

/// A machine, its journal, and the model beside it.
struct Rig {
    chance: Chance,
    machine: Machine,
    log: Vec<(Position, Kind, Vec<u8>)>,
    /// The newest sections, and where they were taken.
    sections: Vec<Section>,
    /// As the engine makes one: the shard's own section, and one of every queue that was there
    /// then, each taken then or before.
    checkpoint: Vec<Section>,
    end: u64,
    durable: Position,
    now: Timestamp,
    ponds: Vec<Pond>,
}

impl Rig {
    fn new(seed: u64) -> Self {
        let mut rig = Self {
            chance: Chance::seeded(seed),
            machine: Machine::default(),
            log: Vec::new(),
            sections: Vec::new(),
            checkpoint: Vec::new(),
            end: 64,
            durable: Position::ZERO,
            now: Timestamp::from_millis(1_700_000_000_000),
            ponds: Vec::new(),
        };
        rig.run(&Found { secret: SECRET }).unwrap();
        rig
    }

    fn dice(&self, sides: u64) -> u64 {
        self.chance.number() % sides
    }

    /// What the engine does with a command, on a journal that is a list.
    fn run<C: Command>(&mut self, command: &C) -> Result<C::Reply, Refusal> {
        self.machine.advance(command.queue(), self.now, self.durable);
        let decision = command.decide(&self.machine)?;
        for record in &decision.records {
            let content = Packed::new(MessageId::from_bytes([0; 16]), &Content::default());
            let mut bytes = Vec::new();
            record.write(record.has_content().then_some(&content), &mut bytes);
            let at = Position::from_u64(self.end);
            self.end += 8 * (1 + self.dice(200));
            self.log.push((at, record.kind(), bytes));
            self.machine.apply(at, record);
        }
        Ok(decision.reply)
    }

    fn step(&mut self) {
        match self.dice(100) {
            0..10 => self.now = self.now + Duration::from_millis(self.dice(20_000)),
            10 => self.now = self.now + Duration::from_secs(self.dice(90_000)),
            11..30 => {
                let last = self.log.len().saturating_sub(usize::try_from(self.dice(4)).unwrap());
                let upto = self.log.get(last).map_or(self.end, |(at, ..)| at.as_u64());
                self.durable = self.durable.max(Position::from_u64(upto));
            }
            30 => self.create(),
            31 if self.dice(10) == 0 => self.remove(),
            32 => self.configure(),
            33 if self.dice(10) == 0 => self.purge(),
            34 => self.take_section(),
            35..60 => self.send(),
            60..80 => self.receive(),
            80..90 => self.delete(),
            90..95 => self.hide(),
            95..97 => self.give_back(),
            97 => self.relocate(),
            _ => self.drop_old(),
        }
        self.compare_counts();
    }

    fn pond(&self) -> Option<usize> {
        let count = u64::try_from(self.ponds.len()).unwrap();
        (count > 0).then(|| usize::try_from(self.dice(count)).unwrap())
    }

    fn create(&mut self) {
        let key = QueueKey {
            account: AccountId::DEFAULT,
            region: Region::default(),
            name: format!("q{}", self.dice(3)).parse().unwrap(),
        };
        let settings = SettingsChange::default();
        let create = Create { key, settings: settings.clone(), tags: Tags::new() };
        if let Ok(created) = self.run(&create)
            && !created.existed
        {
            self.ponds.push(Pond {
                number: created.id.number,
                settings: settings.applied_to(&Settings::default()),
                messages: Vec::new(),
                taken: Vec::new(),
                purged: None,
            });
        }
    }

    fn remove(&mut self) {
        let Some(index) = self.pond() else { return };
        let queue = self.ponds.remove(index).number;
        self.run(&Remove { queue }).unwrap();
        assert_eq!(self.run(&Remove { queue }), Err(Refusal::NoSuchQueue));
    }

    fn configure(&mut self) {
        let Some(index) = self.pond() else { return };
        let change = SettingsChange {
            delay: (self.dice(2) == 0).then(|| Duration::from_secs(self.dice(10))),
            retention: (self.dice(2) == 0).then(|| Duration::from_secs(60 + self.dice(7200))),
            visibility: (self.dice(2) == 0).then(|| Duration::from_secs(self.dice(60))),
            ..SettingsChange::default()
        };
        let queue = self.ponds[index].number;
        self.ponds[index].settings = change.applied_to(&self.ponds[index].settings);
        self.run(&Configure { queue, change }).unwrap();
    }

    fn purge(&mut self) {
        let Some(index) = self.pond() else { return };
        let (queue, now) = (self.ponds[index].number, self.now);
        let pond = &mut self.ponds[index];
        let too_soon = pond.purged.is_some_and(|at| now < at + PURGE_PAUSE);
        if !too_soon {
            pond.messages.clear();
            pond.purged = Some(now);
        }
        assert_eq!(self.run(&Purge { queue }).is_err(), too_soon);
    }

    fn send(&mut self) {
        let Some(index) = self.pond() else { return };
        let queue = self.ponds[index].number;
        let delays: Vec<_> = (0..=self.dice(10))
            .map(|_| match self.dice(4) {
                0 => Some(Duration::from_secs(self.dice(30))),
                1 => Some(Duration::ZERO),
                _ => None,
            })
            .collect();
        let id = MessageId::from_bytes([0; 16]);
        let messages = delays.iter().map(|delay| (id, *delay)).collect();
        let first = self.log.len();
        let sent = self.run(&Send { queue, messages }).unwrap();
        for (number, (sent, delay)) in sent.iter().zip(&delays).enumerate() {
            let delay = delay.unwrap_or(self.ponds[index].settings.delay);
            self.ponds[index].messages.push(Modelled {
                sequence: sent.sequence,
                position: self.log[first + number].0,
                sent: self.now,
                delay: u16::try_from(delay.as_secs()).unwrap(),
                due: self.now + delay,
                receives: 0,
            });
        }
    }

    fn receive(&mut self) {
        let Some(index) = self.pond() else { return };
        let queue = self.ponds[index].number;
        let max = u8::try_from(1 + self.dice(10)).unwrap();
        let visibility = (self.dice(3) == 0).then(|| Duration::from_secs(self.dice(40)));
        let taken = self.run(&Take { queue, max, visibility }).unwrap();
        let (now, durable) = (self.now, self.durable);
        let pond = &mut self.ponds[index];
        let mut expected: Vec<_> =
            pond.messages.iter_mut().filter(|m| m.position < durable && m.due <= now).collect();
        expected.sort_by_key(|message| (message.due, message.sequence));
        expected.truncate(usize::from(max));
        let until = now + visibility.unwrap_or(pond.settings.visibility);
        assert_eq!(taken.len(), expected.len());
        for (taken, expected) in taken.iter().zip(expected) {
            expected.receives += 1;
            expected.due = until;
            assert_eq!(taken.sequence, expected.sequence);
            assert_eq!(taken.position, expected.position);
            assert_eq!(taken.receive, expected.receives);
            assert_eq!(taken.sent, expected.sent);
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

    fn delete(&mut self) {
        let Some(index) = self.pond() else { return };
        let taken: Vec<_> = (0..3).filter_map(|_| self.some_taken(index)).collect();
        let receipts: Vec<_> = taken.iter().map(|one| self.receipt(index, *one)).collect();
        let queue = self.ponds[index].number;
        let before = self.ponds[index].messages.len();
        let gone = |m: &Modelled| taken.iter().any(|taken| taken.sequence == m.sequence);
        self.ponds[index].messages.retain(|message| !gone(message));
        let reply = self.run(&Delete { queue, receipts }).unwrap();
        assert!(reply.answers.iter().all(Result::is_ok));
        assert_eq!(reply.deleted, before - self.ponds[index].messages.len());
    }

    fn hide(&mut self) {
        let Some(index) = self.pond() else { return };
        let Some(taken) = self.some_taken(index) else { return };
        let hidden = Duration::from_secs(self.dice(3) * self.dice(60));
        let changes = vec![(self.receipt(index, taken), hidden)];
        let queue = self.ponds[index].number;
        let reply = self.run(&ChangeVisibility { queue, changes }).unwrap();
        let due = self.now + hidden;
        let mut messages = self.ponds[index].messages.iter_mut();
        match messages.find(|message| message.sequence == taken.sequence) {
            Some(message) => {
                message.due = due;
                assert_eq!(reply, [Ok(())]);
            }
            None => assert_eq!(reply, [Err(Refusal::MessageGone)]),
        }
    }

    fn give_back(&mut self) {
        let Some(index) = self.pond() else { return };
        let Some(taken) = self.some_taken(index) else { return };
        let (queue, now) = (self.ponds[index].number, self.now);
        self.run(&GiveBack { queue, taken: vec![taken] }).unwrap();
        let mut messages = self.ponds[index].messages.iter_mut();
        let message = messages.find(|message| message.sequence == taken.sequence);
        if let Some(message) = message
            && message.receives == taken.receive
            && message.due > now
        {
            message.due = now;
            message.receives -= 1;
        }
    }

    fn relocate(&mut self) {
        let Some(index) = self.pond() else { return };
        let count = u64::try_from(self.ponds[index].messages.len()).unwrap();
        if count == 0 {
            return;
        }
        let chosen = usize::try_from(self.dice(count)).unwrap();
        let message = self.ponds[index].messages[chosen].clone();
        let Modelled { sequence, sent, delay, position: from, .. } = message;
        // Only what is durable is ever moved, and nobody asks where a message is before it is so
        // again.
        if from >= self.durable {
            return;
        }
        let queue = self.ponds[index].number;
        let header = Header { queue, sequence, sent, delay };
        let at = self.log.len();
        self.run(&Relocate { header, from }).unwrap();
        self.ponds[index].messages[chosen].position = self.log[at].0;
        self.durable = self.durable.max(Position::from_u64(self.end));
        assert_eq!(self.run(&Relocate { header, from }), Err(Refusal::MessageGone));
    }

    fn drop_old(&mut self) {
        let Some(index) = self.pond() else { return };
        let (queue, now, durable) = (self.ponds[index].number, self.now, self.durable);
        while self.run(&DropOld { queue }).unwrap() {}
        let pond = &mut self.ponds[index];
        let retention = pond.settings.retention;
        pond.messages.retain(|m| m.sent + retention > now || m.position >= durable);
    }

    fn take_section(&mut self) {
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

    fn compare_counts(&mut self) {
        for pond in &self.ponds {
            self.machine.advance(Some(pond.number), self.now, self.durable);
            let there = || pond.messages.iter().filter(|m| m.position < self.durable);
            let expected = Counts {
                visible: there().filter(|m| m.due <= self.now).count(),
                in_flight: there().filter(|m| m.due > self.now && m.receives > 0).count(),
                delayed: there().filter(|m| m.due > self.now && m.receives == 0).count(),
                oldest: there().map(|m| m.sent).min(),
                visible_quiet: there().filter(|m| m.due <= self.now).count(),
                ..Counts::default()
            };
            assert_eq!(self.machine.queue(pond.number).unwrap().stock.counts(), expected);
        }
    }

    /// Everything that is recorded, as bytes.
    fn bytes(machine: &Machine) -> Vec<(String, Vec<u8>)> {
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
        for (at, kind, payload) in self.log.iter().filter(|(at, ..)| *at >= from) {
            let record = RecordRef { kind: *kind, version: VERSION, payload };
            machine.fold_record(*at, record).unwrap();
        }
        machine.recovered();
        machine
    }

    fn compare_replays(&self) {
        let live = Self::bytes(&self.machine);
        assert!(Self::bytes(&self.refold(&[], Position::ZERO)) == live, "from the start");
        if let Some(replay_from) = self.checkpoint.iter().map(|(_, at, _)| *at).min() {
            let again = self.refold(&self.checkpoint, replay_from);
            assert!(Self::bytes(&again) == live, "from a checkpoint and the log after it");
        }
    }

    /// A restart: everything so far is durable, and the state is what the checkpoint and the log
    /// say.
    fn restart(&mut self) {
        self.durable = Position::from_u64(self.end);
        let replay_from = self.checkpoint.iter().map(|(_, at, _)| *at).min();
        self.machine = self.refold(&self.checkpoint, replay_from.unwrap_or_default());
    }
}

fn play(seed: u64, steps: usize) -> Rig {
    let mut rig = Rig::new(seed);
    rig.machine.recovered();
    rig.create();
    for step in 0..steps {
        rig.step();
        if step % 500 == 250 {
            rig.compare_replays();
        }
        if step % 1000 == 750 {
            rig.restart();
        }
    }
    rig
}

#[test]
fn the_machine_does_what_the_model_does() {
    for seed in 0..16 {
        play(seed, 2_000).compare_replays();
    }
}

#[test]
fn the_same_seed_plays_the_same_game() {
    let (one, other) = (play(99, 1_500), play(99, 1_500));
    assert_eq!(Rig::bytes(&one.machine), Rig::bytes(&other.machine));
    assert_eq!(one.log.len(), other.log.len());
}

#[test]
fn everybody_who_lives_is_counted_on_the_ground() {
    for seed in 100..110 {
        let rig = play(seed, 1_500);
        let everything = Position::ZERO..Position::from_u64(rig.end);
        let living: usize = rig.ponds.iter().map(|pond| pond.messages.len()).sum();
        let counted = rig.machine.ground.population(&everything).live;
        assert_eq!(counted, u64::try_from(living).unwrap());
    }
}
