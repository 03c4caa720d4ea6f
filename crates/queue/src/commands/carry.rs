//! Carries messages that nobody wanted to the dead-letter queue.

use crate::key::QueueNumber;
use crate::loose::Held;
use crate::machine::{Command, Decision, Few, Machine};
use crate::passage::CarryReason;
use crate::queue::Queue;
use crate::record::{Carried, Carry, Record};
use crate::refusal::Refusal;
use crate::settings::Discipline;

/// How many messages one record carries: with the longest names of groups some 10 KiB.
const A_RECORD: usize = 64;

/// What was carried.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Cargo {
    /// How many messages.
    pub(crate) count: usize,
    /// Where to.
    pub(crate) target: Option<QueueNumber>,
}

/// Carries away those that a receive of `max` messages would be handed and that were received too
/// often.
pub(crate) struct CarryExhausted {
    pub(crate) queue: QueueNumber,
    pub(crate) max: u8,
}

impl Command for CarryExhausted {
    /// If anything was carried, there may be more: others are handed out in its place.
    type Reply = Cargo;

    fn queue(&self) -> Option<QueueNumber> {
        Some(self.queue)
    }

    fn decide(&self, machine: &Machine) -> Result<Decision<Cargo>, Refusal> {
        let queue = machine.queue(self.queue)?;
        let nothing = Ok(Decision { records: Few::new(), reply: Cargo::default() });
        // A look at two counters, for nearly every receive.
        if queue.stock.visible_again() == 0 {
            return nothing;
        }
        let Some((target, max_receives)) = machine.dead_letter_target(queue) else {
            return nothing;
        };
        let mut heads = queue.stock.heads(self.max.into());
        heads.retain(|head| head.receives_here() >= max_receives);
        Ok(carry(machine, queue, target, CarryReason::Exhausted, &heads))
    }
}

/// Carries `messages` of `queue` to `target`. One that was too old once, and began anew, begins
/// anew wherever it goes: it would else be gone the moment it came.
pub(super) fn carry(
    machine: &Machine,
    queue: &Queue,
    target: &Queue,
    why: CarryReason,
    messages: &[Held],
) -> Decision<Cargo> {
    let at = machine.now();
    let keeps_age = target.facts.settings.discipline == Discipline::Standard;
    let mut first = target.facts.next;
    let mut records = Few::with_capacity(messages.len().div_ceil(A_RECORD));
    let reason = |held: &Held| {
        let began_anew = held.ages_from() != held.sent;
        if began_anew { CarryReason::TooOld } else { why }
    };
    let alike = messages.chunk_by(|one, next| reason(one) == reason(next));
    for some in alike.flat_map(|run| run.chunks(A_RECORD)) {
        let one = |held: &Held| Carry {
            sequence: held.sequence,
            position: held.position,
            sent: if keeps_age { held.sent } else { at },
            receives: held.receives,
            first_received: held.first_received,
            group: queue.stock.fifo().and_then(|fifo| fifo.group_name(held)),
        };
        let carried = Carried {
            source: queue.facts.number,
            at,
            target: target.facts.number,
            why: reason(&some[0]),
            key: queue.facts.key.clone(),
            first,
            messages: some.iter().map(one).collect(),
        };
        first = carried.end().expect("no queue comes to 2^64 messages");
        records.push(Record::Carried(Box::new(carried)));
    }
    let target = Some(target.facts.number).filter(|_| !messages.is_empty());
    Decision { records, reply: Cargo { count: messages.len(), target } }
}
