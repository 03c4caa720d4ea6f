//! A play: messages, a queue and workers, and a mind that is asked each second.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use tidemill_base::Chance;

use crate::mind::{Look, Mind, One, Orders};
use crate::trace::part;
use crate::{Job, SERVICE, Trace};

/// A second, on the clock of a play.
const SECOND: u64 = 1_000_000;

/// What came of a play.
#[derive(Clone, Debug, PartialEq)]
pub struct Played {
    /// How long each message took until it was done, in seconds; those that were not done at the
    /// end have what they had waited for so far.
    pub waits: Vec<f64>,
    /// Instance-seconds, from launch to stop.
    pub cost: f64,
    /// How many instances there were in each second, also those that boot or are to go.
    pub alive: Vec<u32>,
    /// How many the mind wanted in each second.
    pub wanted: Vec<u32>,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Ready(usize),
    Done(usize),
    Look,
}

struct Worker {
    launched: u64,
    ready: Option<u64>,
    draining: Option<u64>,
    /// The message that it works on.
    job: Option<usize>,
    is_stopped: bool,
}

struct Stage<'a> {
    jobs: &'a [Job],
    boot: f64,
    chance: Chance,
    now: u64,
    events: BinaryHeap<Reverse<(u64, Event)>>,
    workers: Vec<Worker>,
    /// Those that are not stopped.
    alive: Vec<usize>,
    /// The messages that wait, in order.
    queue: VecDeque<usize>,
    deleted: u64,
    played: Played,
}

/// Plays a trace's messages against a mind. A boot takes as many seconds as `boot` says, a tenth
/// more or less. The play begins with as many workers as the load has use for.
pub fn play(trace: Trace, jobs: &[Job], boot: f64, mind: &mut Mind, seed: u64) -> Played {
    let played = Played { waits: Vec::new(), cost: 0.0, alive: Vec::new(), wanted: Vec::new() };
    let mut stage = Stage {
        jobs,
        boot,
        // Not the stream that the messages are of.
        chance: Chance::seeded(seed ^ 0x5ca1e),
        now: 0,
        events: BinaryHeap::new(),
        workers: Vec::new(),
        alive: Vec::new(),
        queue: VecDeque::new(),
        deleted: 0,
        played,
    };
    let first = ((trace.rate(0.0) * SERVICE).ceil() as usize).max(mind.least() as usize);
    for _ in 0..first {
        stage.start(Some(0));
    }
    stage.run(mind, seconds_to_clock(trace.length()));
    stage.end()
}

impl Stage<'_> {
    fn run(&mut self, mind: &mut Mind, end: u64) {
        let mut next = 0;
        self.events.push(Reverse((SECOND, Event::Look)));
        loop {
            let comes = self.jobs.get(next).map_or(u64::MAX, |job| seconds_to_clock(job.at));
            let happens = self.events.peek().map_or(u64::MAX, |Reverse((at, _))| *at);
            self.now = comes.min(happens);
            if self.now > end {
                self.now = end;
                return;
            }
            if comes <= happens {
                self.queue.push_back(next);
                next += 1;
            } else if let Some(Reverse((_, event))) = self.events.pop() {
                self.happen(event, mind, next);
            }
            self.hand_out();
        }
    }

    fn happen(&mut self, event: Event, mind: &mut Mind, arrived: usize) {
        match event {
            Event::Ready(worker) => self.workers[worker].ready = Some(self.now),
            Event::Done(worker) => {
                let job = self.workers[worker].job.take().expect("who is done had a message");
                let wait = clock_to_seconds(self.now) - self.jobs[job].at;
                self.played.waits.push(wait);
                self.deleted += 1;
            }
            Event::Look => {
                let orders = mind.look(&self.look(arrived));
                self.obey(&orders);
                self.events.push(Reverse((self.now + SECOND, Event::Look)));
            }
        }
    }

    /// Gives what waits to who is free, whoever has been there longest first.
    fn hand_out(&mut self) {
        if self.queue.is_empty() {
            return;
        }
        for at in 0..self.alive.len() {
            let number = self.alive[at];
            let worker = &mut self.workers[number];
            if worker.ready.is_none() || worker.draining.is_some() || worker.job.is_some() {
                continue;
            }
            let Some(job) = self.queue.pop_front() else { return };
            worker.job = Some(job);
            let done = self.now + seconds_to_clock(self.jobs[job].takes);
            self.events.push(Reverse((done, Event::Done(number))));
        }
    }

    fn look(&self, arrived: usize) -> Look {
        let ones = self.alive.iter().map(|number| {
            let worker = &self.workers[*number];
            One {
                number: *number,
                launched: worker.launched / 1000,
                ready: worker.ready.map(|at| at / 1000),
                draining: worker.draining.map(|at| at / 1000),
                holds: u64::from(worker.job.is_some()),
            }
        });
        Look {
            millis: self.now / 1000,
            arrived: arrived as u64,
            deleted: self.deleted,
            waiting: self.queue.len() as u64,
            workers: ones.collect(),
        }
    }

    fn obey(&mut self, orders: &Orders) {
        for number in &orders.drain {
            self.workers[*number].draining = Some(self.now);
        }
        for number in &orders.stop {
            let worker = &mut self.workers[*number];
            assert!(worker.job.is_none(), "nobody is stopped with a message in its hands");
            worker.is_stopped = true;
            self.played.cost += clock_to_seconds(self.now - worker.launched);
        }
        let workers = &self.workers;
        self.alive.retain(|number| !workers[*number].is_stopped);
        for _ in 0..orders.launch {
            self.start(None);
        }
        self.played.wanted.push(orders.wanted);
        self.played.alive.push(self.alive.len() as u32);
    }

    /// Launches a worker, which is ready after a boot, or was already.
    fn start(&mut self, ready: Option<u64>) {
        let number = self.workers.len();
        let boot = self.boot * (0.9 + 0.2 * part(&self.chance));
        if ready.is_none() {
            let at = self.now + seconds_to_clock(boot);
            self.events.push(Reverse((at, Event::Ready(number))));
        }
        let launched = self.now;
        self.workers.push(Worker { launched, ready, draining: None, job: None, is_stopped: false });
        self.alive.push(number);
    }

    fn end(mut self) -> Played {
        let now = clock_to_seconds(self.now);
        let held = self.alive.iter().filter_map(|number| self.workers[*number].job);
        let left: Vec<f64> =
            self.queue.iter().copied().chain(held).map(|job| now - self.jobs[job].at).collect();
        self.played.waits.extend(left);
        for number in &self.alive {
            self.played.cost += clock_to_seconds(self.now - self.workers[*number].launched);
        }
        self.played
    }
}

fn seconds_to_clock(seconds: f64) -> u64 {
    (seconds * SECOND as f64) as u64
}

fn clock_to_seconds(clock: u64) -> f64 {
    clock as f64 / SECOND as f64
}
