//! Those who use the service while it is killed. Each remembers over a crash what a real client
//! would: what it has to send again, which handles it holds, which receive it may ask again.

mod consumer;
mod keeper;
mod mover;
mod producer;
mod short_lived;
mod wire;

use std::sync::Arc;

use serde_json::Value;
use tidemill_base::Clock;

use crate::dice::Dice;
use crate::ledger::Ledger;
use crate::link::{Answer, Link};
use crate::queues::Queue;
use crate::story::Group;

pub(crate) use consumer::Consumer;
pub(crate) use keeper::Keeper;
pub(crate) use mover::Mover;
pub(crate) use producer::Producer;
pub(crate) use wire::{Message, handles, messages};

/// What all clients share.
#[derive(Clone)]
pub(crate) struct Shared {
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) clock: Clock,
}

/// One client.
pub(crate) enum Client {
    Producer(Producer),
    Consumer(Consumer),
    Mover(Mover),
    Keeper(Box<Keeper>),
}

impl Client {
    /// Those who take part in a run, the same for the same seed.
    pub(crate) fn all(seed: u64) -> Vec<Self> {
        let mut part = 0;
        let mut dice = || {
            part += 1;
            Dice::of(seed, part)
        };
        let mut all = vec![Self::Keeper(Box::new(Keeper::new(dice())))];
        for queue in [Queue::Plain, Queue::Orders] {
            all.push(Self::Producer(Producer::new(queue, Vec::new(), dice())));
        }
        for (queue, first) in [(Queue::Strict, 0), (Queue::Jobs, 100)] {
            for half in [first, first + 4] {
                let groups = (half..half + 4).map(Group).collect();
                all.push(Self::Producer(Producer::new(queue, groups, dice())));
            }
        }
        for queue in [Queue::Plain, Queue::Orders, Queue::Strict, Queue::Jobs] {
            for _ in 0..2 {
                all.push(Self::Consumer(Consumer::new(queue, dice())));
            }
        }
        for queue in [Queue::OrdersDead, Queue::JobsDead] {
            all.push(Self::Consumer(Consumer::new(queue, dice())));
            all.push(Self::Mover(Mover::new(queue, dice())));
        }
        all
    }

    /// Uses the service until it is gone.
    pub(crate) async fn work(&mut self, link: &mut Link, shared: &Shared) {
        match self {
            Self::Producer(producer) => producer.work(link, shared).await,
            Self::Consumer(consumer) => consumer.work(link, shared).await,
            Self::Mover(mover) => mover.work(link, shared).await,
            Self::Keeper(keeper) => keeper.work(link, shared).await,
        }
    }

    /// Brings to an end what it had begun, before a reckoning; false if the service went away.
    pub(crate) async fn settle(&mut self, link: &mut Link, shared: &Shared) -> bool {
        match self {
            Self::Producer(producer) => producer.settle(link, shared).await,
            Self::Keeper(keeper) => keeper.check(link, shared).await,
            Self::Mover(mover) => mover.settle(link, shared).await,
            Self::Consumer(consumer) => {
                consumer.forget();
                true
            }
        }
    }
}

/// Calls, and counts. A refusal is left to the caller, but not that the service fails.
pub(crate) async fn call(
    link: &mut Link,
    shared: &Shared,
    operation: &str,
    parameters: &Value,
) -> Answer {
    let answer = link.call(operation, parameters).await;
    shared.ledger.count(matches!(answer, Answer::Unknown));
    match answer {
        Answer::Refused(fault) if fault.status >= 500 => {
            let detail = format!("{operation}: {} {}", fault.status, fault.body);
            shared.ledger.violation("The service does not fail", detail);
            Answer::Unknown
        }
        answer => answer,
    }
}

/// Writes down that something was refused that must not be.
pub(crate) fn refused(shared: &Shared, operation: &str, fault: &crate::link::Fault) {
    let detail = format!("{operation}: {} {}", fault.status, fault.body);
    shared.ledger.violation("What is allowed is not refused", detail);
}
