//! The machine against a model that is obviously right: one list of messages, searched each time.
//!
//! Thousands of random commands to standard, fair and FIFO queues, with a clock that moves, a disk
//! that lags, and checks after each of them. Along the way: folding the records again, from the
//! start or from sections taken at different moments, gives the same state, byte for byte.

mod dead_letters;
mod messages;
mod replay;

use std::collections::BTreeSet;
use std::time::Duration;

use tidemill_base::{AccountId, Chance, MessageId, Region, Timestamp};
use tidemill_journal::{Kind, Position, Record};

use super::{Command, Machine};
use crate::commands::{Configure, Create, Found, Lapse, Purge, Remove};
use crate::content::Packed;
use crate::key::{QueueKey, QueueNumber};
use crate::message::Content;
use crate::model::pond::Pond;
use crate::receipt::Secret;
use crate::refusal::{PURGE_PAUSE, Refusal};
use crate::settings::{Discipline, Scope, SettingsChange, Tags};

const SECRET: Secret = Secret([7; 16]);

/// A section: its name, where it was taken, and what it says.
type Section = (String, Position, Vec<u8>);

/// A machine, its journal, and the model beside it.
struct Rig {
    chance: Chance,
    machine: Machine,
    log: Vec<(Position, Record)>,
    /// The newest sections, and where they were taken.
    sections: Vec<Section>,
    /// As the engine makes one: the shard's own section, and one of every queue that was there
    /// then, each taken then or before.
    checkpoint: Vec<Section>,
    end: u64,
    durable: Position,
    now: Timestamp,
    ponds: Vec<Pond>,
    /// What happened that is not sure to happen.
    seen: BTreeSet<&'static str>,
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
            seen: BTreeSet::new(),
        };
        rig.run(&Found { secret: SECRET }).unwrap();
        rig
    }

    fn dice(&self, sides: u64) -> u64 {
        self.chance.number() % sides
    }

    /// What the engine does with a command, on a journal that is a list.
    fn run<C: Command>(&mut self, command: &C) -> Result<C::Reply, Refusal> {
        self.advance(command.queue());
        let decision = command.decide(&self.machine)?;
        for record in &decision.records {
            let content = Packed::new(MessageId::from_bytes([0; 16]), Content::default());
            let mut payload = Vec::new();
            record.write(record.has_content().then_some(&content), &mut payload);
            let at = Position::from_u64(self.end);
            self.end += 8 * (1 + self.dice(200));
            let (kind, version) = (record.kind(), record.version());
            self.seen.extend((kind == Kind(15)).then_some("a repeated receive"));
            self.seen.extend((kind == Kind(16)).then_some("a lapse"));
            self.log.push((at, Record { kind, version, payload: payload.into() }));
            self.machine.apply(at, record);
        }
        Ok(decision.reply)
    }

    /// Time passes, and the disk goes on, for one queue.
    fn advance(&mut self, queue: Option<QueueNumber>) {
        self.machine.advance(queue, self.now, self.durable);
        for pond in self.ponds.iter_mut().filter(|pond| Some(pond.number) == queue) {
            let by_work = pond.judge(self.now);
            self.seen.extend(by_work.then_some("a group noisy by its work alone"));
        }
    }

    fn step(&mut self) {
        match self.dice(100) {
            0..10 => self.now = self.now + Duration::from_millis(self.dice(20_000)),
            10 => self.now = self.now + Duration::from_secs(self.dice(90_000)),
            11..30 => {
                let last = self.log.len().saturating_sub(usize::try_from(self.dice(4)).unwrap());
                let upto = self.log.get(last).map_or(self.end, |(at, _)| at.as_u64());
                self.durable = self.durable.max(Position::from_u64(upto));
            }
            30 => self.create(),
            31 if self.dice(10) == 0 => self.remove(),
            32 => self.configure(),
            33 if self.dice(10) == 0 => self.purge(),
            34 => self.take_section(),
            35 => self.crowd(),
            36..60 => self.send(),
            60..80 => self.receive(),
            80..90 => self.delete(),
            90..94 => self.hide(),
            94..96 => self.give_back(),
            96 => self.lapse(),
            97 => self.relocate(),
            98 if self.dice(3) == 0 => self.tag(),
            98 => self.move_some(),
            _ => self.drop_old(),
        }
        self.compare_counts();
    }

    fn pond(&self) -> Option<usize> {
        let count = u64::try_from(self.ponds.len()).unwrap();
        (count > 0).then(|| usize::try_from(self.dice(count)).unwrap())
    }

    /// Half of the queues are FIFO queues.
    fn create(&mut self) {
        let number = self.dice(4);
        let key = key(number);
        let scope = if self.dice(2) == 0 { Scope::Queue } else { Scope::Group };
        let discipline = if number < 2 { Discipline::Standard } else { Discipline::Fifo };
        let settings = SettingsChange {
            discipline: Some(discipline),
            deduplication_scope: Some(scope),
            ..SettingsChange::default()
        };
        let create = Create { key: key.clone(), settings: settings.clone(), tags: Tags::new() };
        if let Ok(created) = self.run(&create)
            && !created.existed
        {
            self.ponds.push(Pond::new(created.id.number, key, settings.from_defaults()));
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
        let scope = if self.dice(2) == 0 { Scope::Queue } else { Scope::Group };
        let change = SettingsChange {
            delay: (self.dice(2) == 0).then(|| Duration::from_secs(self.dice(10))),
            retention: (self.dice(2) == 0).then(|| Duration::from_secs(60 + self.dice(7200))),
            visibility: (self.dice(2) == 0).then(|| Duration::from_secs(self.dice(60))),
            deduplication_scope: Some(scope),
            redrive: (self.dice(2) == 0).then(|| self.choose_redrive()),
            ..SettingsChange::default()
        };
        let queue = self.ponds[index].number;
        self.run(&Configure { queue, change: change.clone() }).unwrap();
        let settings = change.applied_to(&self.ponds[index].settings);
        self.ponds[index].configure(settings, self.now);
    }

    fn purge(&mut self) {
        let Some(index) = self.pond() else { return };
        let (queue, now) = (self.ponds[index].number, self.now);
        let too_soon = self.ponds[index].purged.is_some_and(|at| now < at + PURGE_PAUSE);
        assert_eq!(self.run(&Purge { queue }).is_err(), too_soon);
        if !too_soon {
            self.ponds[index].clear();
            self.ponds[index].purged = Some(now);
        }
    }

    /// That a queue forgets what does not count any more is seen only in its size.
    fn lapse(&mut self) {
        let Some(index) = self.pond() else { return };
        self.run(&Lapse { queue: self.ponds[index].number }).unwrap();
    }

    fn compare_counts(&mut self) {
        for index in 0..self.ponds.len() {
            self.advance(Some(self.ponds[index].number));
            let pond = &self.ponds[index];
            let queue = self.machine.queue(pond.number).unwrap();
            let counts = queue.stock.counts();
            assert_eq!(counts, pond.counts(self.now, self.durable));
            assert_eq!(queue.stock.all_holders(), pond.holders(self.now, self.durable));
            self.seen.extend((counts.noisy_groups > 0).then_some("a noisy group"));
            let quiet_first = counts.visible_quiet > 0 && counts.visible_quiet < counts.visible;
            self.seen.extend(quiet_first.then_some("quiet ones beside it"));
        }
    }
}

fn key(number: u64) -> QueueKey {
    let name = format!("q{number}").parse().unwrap();
    QueueKey { account: AccountId::DEFAULT, region: Region::default(), name }
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
    let mut seen = BTreeSet::new();
    for seed in 0..16 {
        let rig = play(seed, 2_000);
        rig.compare_replays();
        seen.extend(rig.seen);
    }
    // Else it would prove little.
    let all = [
        "a dead letter",
        "a duplicate",
        "a group noisy by its work alone",
        "a lapse",
        "a move",
        "a noisy group",
        "a repeated receive",
        "a second life",
        "an expired receipt",
        "hidden for too long",
        "quiet ones beside it",
    ];
    assert_eq!(seen.into_iter().collect::<Vec<_>>(), all);
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
