//! The world of one seed: the scheduler, which says what is next, and what it all happens to.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use tidemill_base::{Clock, Timestamp};
use tidemill_journal::{Hand, Operation, Position};
use tidemill_queue::Engine;
use tidemill_queue::model::{Mirror, Seen};

use crate::clients::Clients;
use crate::dice::Dice;
use crate::digest::Digest;
use crate::disk::{Break, Disk, Fault};
use crate::ledger::Ledger;
use crate::plan::{Next, Plan};
use crate::tasks::Task;
use crate::{Outcome, stage};

pub(crate) const START: Timestamp = Timestamp::from_millis(1_700_000_000_000);

/// What the one thread is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Doing {
    /// What must not be interrupted: a request goes on, or the engine opens.
    Alone,
    /// A round of the journal's.
    Round,
    /// Housekeeping, or moves: other threads do those.
    Aside,
    /// What goes on while one of those waits for the disk.
    Meanwhile,
}

pub(crate) struct World {
    pub(crate) dice: Dice,
    pub(crate) plan: Plan,
    pub(crate) disk: Disk,
    pub(crate) mirror: Mirror,
    pub(crate) clock: RefCell<Clock>,
    pub(crate) hand: RefCell<Hand>,
    pub(crate) engine: RefCell<Option<Engine>>,
    pub(crate) tasks: RefCell<Vec<Task>>,
    pub(crate) clients: RefCell<Clients>,
    pub(crate) ledger: RefCell<Ledger>,
    pub(crate) doing: Cell<Doing>,
    pub(crate) step: Cell<u64>,
    /// Up to where somebody was told of what survives the machine.
    pub(crate) promised: Cell<Position>,
    /// Up to where somebody was told of what survives the process.
    pub(crate) handed: Cell<Position>,
    violations: RefCell<Vec<String>>,
    digest: Cell<Digest>,
    totals: RefCell<BTreeMap<&'static str, u64>>,
    is_loud: bool,
}

/// Plays a seed, to its end or the first violation.
pub(crate) fn play(seed: u64, broken: Option<Break>, is_loud: bool) -> Outcome {
    let world = Rc::new(World::new(seed, broken, is_loud));
    stage::set(Some(Rc::clone(&world)));
    world.say(|| format!("{:?}", world.plan));
    world.start();
    while world.step.get() < world.plan.steps as u64 && world.is_sound() {
        world.step.set(world.step.get() + 1);
        world.take_step();
        world.look();
    }
    if world.is_sound() {
        world.finish();
    }
    world.end_process();
    stage::set(None);
    let mut digest = world.disk.digest();
    digest.add(world.digest.get().to_string().as_bytes());
    world.count("changes of the disk", world.disk.changes());
    Outcome { digest, violations: world.violations.take(), totals: world.totals.take() }
}

impl World {
    fn new(seed: u64, broken: Option<Break>, is_loud: bool) -> Self {
        let dice = Dice::seeded(seed);
        let plan = Plan::new(&dice);
        Self {
            disk: Disk::new(&dice, broken),
            mirror: Mirror::new(),
            clock: RefCell::new(Clock::manual(START)),
            hand: RefCell::default(),
            engine: RefCell::default(),
            tasks: RefCell::default(),
            clients: RefCell::default(),
            ledger: RefCell::default(),
            doing: Cell::new(Doing::Alone),
            step: Cell::new(0),
            promised: Cell::default(),
            handed: Cell::default(),
            violations: RefCell::default(),
            digest: Cell::default(),
            totals: RefCell::default(),
            is_loud,
            plan,
            dice,
        }
    }

    pub(crate) fn engine(&self) -> Engine {
        self.engine.borrow().clone().expect("an engine is open between restarts")
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.borrow().now()
    }

    fn take_step(&self) {
        if self.dice.once_in(self.plan.faults) && self.plan.faults > 0 {
            let fault = self.dice.of(&[Fault::Death, Fault::Error, Fault::Full, Fault::Torn]);
            let changes = self.dice.below(12);
            self.say(|| format!("{fault:?} after {changes} changes"));
            self.disk.light_fuse(changes, fault);
        }
        if self.plan.ends > 0 && self.dice.once_in(self.plan.ends) {
            self.restart();
            return;
        }
        if self.disk.is_dead() || (self.engine().failure().is_some() && self.dice.once_in(4)) {
            self.restart();
            return;
        }
        let next = self.plan.next(&self.dice);
        self.say(|| format!("{next:?}"));
        match next {
            Next::Round => self.round(),
            Next::House => self.keep_house(),
            Next::Moves => self.move_some(),
            Next::Compare => self.engine().compare(),
            next => self.take_small_step(next),
        }
    }

    /// A step that may be taken while another thread waits for the disk.
    fn take_small_step(&self, next: Next) {
        match next {
            Next::Ask => self.ask_something(),
            Next::Clock => self.move_clock(),
            Next::Cancel => self.cancel_one(),
            Next::Poke => self.go_on(false),
            Next::Tick => self.engine().tick(),
            _ => self.go_on(true),
        }
    }

    /// The disk is at work: if that is what another thread would do, the rest goes on.
    pub(crate) fn meanwhile(&self, operation: Operation) {
        let doing = self.doing.get();
        let is_free = match (doing, operation) {
            (Doing::Aside, Operation::Append | Operation::Create) => false,
            (Doing::Round, Operation::Sync) | (Doing::Aside, _) => true,
            _ => false,
        };
        if !is_free || !self.dice.once_in(3) {
            return;
        }
        self.doing.set(Doing::Meanwhile);
        for _ in 0..=self.dice.below(6) {
            let next = self.plan.next(&self.dice);
            if next == Next::Round && doing == Doing::Aside && operation != Operation::Sync {
                self.hand.borrow().clone().round();
            } else {
                self.take_small_step(next);
            }
        }
        self.doing.set(doing);
    }

    /// Does something, of which the disk's pauses are others' turns.
    fn doing<T>(&self, doing: Doing, work: impl FnOnce() -> T) -> T {
        let before = self.doing.replace(doing);
        let done = work();
        self.doing.set(before);
        done
    }

    pub(crate) fn round(&self) {
        self.say(|| "a round".into());
        let hand = self.hand.borrow().clone();
        self.doing(Doing::Round, || hand.round());
    }

    fn keep_house(&self) {
        self.say(|| "housekeeping".into());
        let engine = self.engine();
        let kept = self.doing(Doing::Aside, || engine.keep_house());
        self.count("housekeeping", 1);
        if let Err(error) = kept {
            self.excuse(&format!("housekeeping: {error}"));
        }
    }

    fn move_some(&self) {
        let engine = self.engine();
        let moved = self.doing(Doing::Aside, || engine.move_some());
        if let Err(error) = moved {
            self.excuse(&format!("moves: {error}"));
        }
    }

    /// What fails may fail only if the disk did.
    pub(crate) fn excuse(&self, what: &str) {
        self.say(|| what.to_owned());
        if !self.disk.has_failed() {
            self.violate(&format!("failed on a good disk: {what}"));
        }
    }

    fn move_clock(&self) {
        let by = match self.dice.below(8) {
            0 => self.dice.seconds(self.plan.stride),
            _ => std::time::Duration::from_millis(self.dice.below(3000)),
        };
        let clock = self.clock.borrow().clone();
        let now = clock.advance(by);
        self.say(|| format!("the clock goes {by:?} to {now:?}"));
    }

    /// Looks at what the mirror saw and says.
    pub(crate) fn look(&self) {
        for complaint in self.mirror.complaints() {
            self.violate(&complaint);
        }
        for seen in self.mirror.seen() {
            self.note(&seen);
        }
        self.look_for_forgotten();
    }

    /// Notes what happened, whoever asked for it.
    pub(crate) fn note(&self, seen: &Seen) {
        let mut ledger = self.ledger.borrow_mut();
        match seen {
            Seen::Gone(origins) => {
                for at in origins {
                    ledger.may_be_gone(*at);
                }
                self.count("dropped or purged", origins.len() as u64);
            }
            Seen::Deleted(_, messages) => {
                for (_, at) in messages {
                    ledger.may_be_gone(*at);
                }
                self.count("deleted", messages.len() as u64);
            }
            Seen::Sent(..) => self.count("sent", 1),
            Seen::Other(name) => self.count(name, 1),
        }
    }

    pub(crate) fn add_to_digest(&self, bytes: &[u8]) {
        let mut digest = self.digest.get();
        digest.add(bytes);
        self.digest.set(digest);
    }

    pub(crate) fn count(&self, what: &'static str, number: u64) {
        *self.totals.borrow_mut().entry(what).or_default() += number;
    }

    pub(crate) fn violate(&self, what: &str) {
        self.say(|| format!("VIOLATION {what}"));
        self.violations.borrow_mut().push(format!("step {}: {what}", self.step.get()));
    }

    pub(crate) fn is_sound(&self) -> bool {
        self.violations.borrow().is_empty()
    }

    pub(crate) fn say(&self, what: impl FnOnce() -> String) {
        if self.is_loud {
            eprintln!("{:5} {}", self.step.get(), what());
        }
    }
}
