//! Anything in any order, with crashes and a clock that goes back: at the end every message that
//! was not deleted can be received once more, from one queue, and those of a group in their order.

use std::collections::{BTreeMap, BTreeSet};

use super::dead_letters::redriving;
use super::*;
use crate::receipt::Receipt;
use crate::settings::Discipline;

const DAY: Duration = Duration::from_hours(24);

/// An engine with three queues, each the dead-letter queue of another.
struct Soak {
    bench: Bench,
    chance: Chance,
    queues: [QueueId; 3],
    is_fifo: bool,
    /// What is to be there, by its body.
    there: BTreeSet<String>,
    sent: usize,
    receipts: Vec<(usize, Receipt, String)>,
}

impl Soak {
    async fn new(seed: u64, is_fifo: bool) -> Self {
        let bench = Bench::new();
        let discipline = if is_fifo { Discipline::Fifo } else { Discipline::Standard };
        let mut queues = Vec::new();
        let chain = [("a.fifo", "b.fifo", 2), ("b.fifo", "c.fifo", 1), ("c.fifo", "a.fifo", 3)];
        for (name, target, max) in chain {
            let settings = SettingsChange {
                discipline: Some(discipline),
                retention: Some(14 * DAY),
                visibility: Some(10 * SECOND),
                ..redriving(target, max)
            };
            queues.push(bench.queue_with(name, settings).await);
        }
        Self {
            bench,
            chance: Chance::seeded(seed),
            queues: queues.try_into().unwrap(),
            is_fifo,
            there: BTreeSet::new(),
            sent: 0,
            receipts: Vec::new(),
        }
    }

    fn dice(&self, sides: u64) -> usize {
        usize::try_from(self.chance.number() % sides).unwrap()
    }

    fn dice_of(&self, count: usize) -> usize {
        self.dice(u64::try_from(count).unwrap())
    }

    fn seconds(&self, fewer: u64) -> Duration {
        Duration::from_secs(self.chance.number() % fewer)
    }

    fn new_message(&mut self) -> (String, NewMessage) {
        let group = self.dice(4);
        let body = format!("{group}-{:05}", self.sent);
        self.sent += 1;
        let mut new = message(&body);
        if self.is_fifo || self.dice(2) == 0 {
            new.content.group = Some(group.to_string());
        }
        new.content.deduplication = self.is_fifo.then(|| body.clone());
        new.content.body = (body.clone() + &"x".repeat(self.dice(4000))).into();
        (body, new)
    }

    async fn step(&mut self) {
        let queue = self.queues[self.dice(3)];
        let engine = self.bench.engine.clone();
        match self.dice(100) {
            0..25 => self.send(queue).await,
            25..60 => self.receive().await,
            60..72 => {
                for _ in 0..self.dice(30).min(self.receipts.len()) {
                    self.delete().await;
                }
            }
            72..80 if !self.receipts.is_empty() => {
                let (which, receipt, _) = self.receipts[self.dice_of(self.receipts.len())];
                let hidden = [(receipt, self.seconds(3) * 20)];
                drop(engine.change_visibility(self.queues[which], &hidden).await.unwrap());
            }
            80..92 => {
                let minutes = if self.dice(10) == 0 { 6 } else { 0 };
                self.bench.advance(self.seconds(30) + SECOND * 60 * minutes);
            }
            92..94 => {
                let delay = Some(self.seconds(2) * 7);
                let change = SettingsChange { delay, ..SettingsChange::default() };
                engine.configure(queue, change).await.unwrap();
            }
            94..96 => {
                let to = (self.dice(2) == 0).then(|| self.queues[self.dice(3)]);
                let pace = (self.dice(2) == 0).then_some(5);
                // One that is under way, or has nowhere to go, is refused.
                drop(engine.start_move(queue, to, pace).await);
            }
            96..98 => drop(self.bench.move_on()),
            98 => engine.0.keep_house().unwrap(),
            _ => {
                drop(engine);
                self.restart();
            }
        }
    }

    async fn send(&mut self, queue: QueueId) {
        let count = 1 + self.dice(6);
        let new = (0..count).map(|_| self.new_message());
        let (bodies, messages): (Vec<_>, Vec<_>) = new.unzip();
        self.bench.engine.send_batch(queue, messages).await.unwrap();
        self.there.extend(bodies);
    }

    /// Sometimes the receiver goes away before it has its answer.
    async fn receive(&mut self) {
        let which = self.dice(3);
        let ask = Receive {
            max: u8::try_from(1 + self.dice(10)).unwrap(),
            attempt: (self.dice(2) == 0).then(|| self.dice(3).to_string()),
            visibility: (self.dice(3) == 0).then(|| self.seconds(40)),
            holder: crate::Holder::from_u64(self.dice(4) as u64),
            wait: Some(if self.dice(3) == 0 { 20 * SECOND } else { Duration::ZERO }),
        };
        let waits = ask.wait != Some(Duration::ZERO);
        let mut receiving = Box::pin(self.bench.engine.receive(self.queues[which], ask));
        let first = poll(&mut receiving);
        if self.dice(4) == 0 || (waits && first.is_pending()) {
            return;
        }
        let got = if let Poll::Ready(got) = first { got } else { receiving.await };
        let receipts = got.unwrap().into_iter().map(|one| (which, one.receipt, name(&one)));
        self.receipts.extend(receipts);
    }

    async fn delete(&mut self) {
        let at = self.dice_of(self.receipts.len());
        let (which, receipt, body) = self.receipts.swap_remove(at);
        let deleted = || self.bench.engine.metrics().queues[which].tally.deleted;
        let before = deleted();
        drop(self.bench.engine.delete(self.queues[which], &[receipt]).await.unwrap());
        if deleted() > before {
            assert!(self.there.remove(&body), "{body}");
        }
    }

    fn restart(&mut self) {
        let back = if self.dice(2) == 0 { Duration::ZERO } else { self.seconds(4000) };
        self.bench.clock = Clock::manual(self.bench.clock.now() - back);
        let store = self.bench.store.clone();
        if self.dice(2) == 0 {
            store.crash(&Keep::Sectors(Chance::seeded(self.chance.number())));
        }
        // The former one has to let go of the store first.
        self.bench.engine = open(MemoryDriver::new(), &self.bench.clock);
        self.bench.engine = open(store, &self.bench.clock);
    }

    async fn drain(mut self) {
        for queue in self.queues {
            let delay = Some(Duration::ZERO);
            let stay = SettingsChange { delay, redrive: Some(None), ..SettingsChange::default() };
            self.bench.engine.configure(queue, stay).await.unwrap();
        }
        while let crate::engine::moves::Next::At(_) = self.bench.move_on() {
            self.bench.advance(SECOND);
        }
        // Longer than the clock ever went back.
        self.bench.advance(7 * DAY);
        let mut found = BTreeSet::new();
        for queue in self.queues {
            let (visible, in_flight, delayed) = self.bench.counts(queue);
            assert_eq!((in_flight, delayed), (0, 0));
            let mut last: BTreeMap<String, crate::key::Sequence> = BTreeMap::new();
            for _ in 0..visible {
                let got = self.bench.take(queue, 10).await;
                for one in &got {
                    let body = name(one);
                    assert!(found.insert(body.clone()), "{body} twice");
                    if self.is_fifo {
                        let before = last.insert(body[..1].into(), one.sequence);
                        assert!(before.is_none_or(|before| before < one.sequence));
                    }
                }
                let receipts: Vec<_> = got.iter().map(|one| one.receipt).collect();
                for answer in self.bench.engine.delete(queue, &receipts).await.unwrap() {
                    answer.unwrap();
                }
            }
            assert_eq!(self.bench.counts(queue), (0, 0, 0));
        }
        assert_eq!(found, self.there);
        self.there.clear();
    }
}

/// The part of a body that tells it from others: its group and a number.
fn name(one: &Delivery) -> String {
    String::from_utf8(one.content.body[..7].to_vec()).unwrap()
}

#[tokio::test]
async fn nothing_is_lost_doubled_or_locked_whatever_happens() {
    let mut carried = 0;
    for seed in 0..12 {
        let mut soak = Soak::new(seed, seed % 2 == 0).await;
        for _ in 0..400 {
            soak.step().await;
        }
        let seen = soak.queues.map(|queue| soak.bench.engine.peek(queue, None, 1000).unwrap());
        carried += seen.iter().flatten().filter(|one| one.source.is_some()).count();
        soak.drain().await;
    }
    assert!(carried > 100, "{carried} were carried");
}
