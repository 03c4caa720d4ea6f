//! Changes when received messages become visible again.

use std::time::Duration;

use tidemill_base::Timestamp;

use crate::key::QueueNumber;
use crate::loose::Held;
use crate::machine::{Command, Decision, Few, Machine};
use crate::receipt::Receipt;
use crate::record::Record;
use crate::refusal::{LONGEST_HIDDEN, Refusal};

pub(crate) struct ChangeVisibility {
    pub(crate) queue: QueueNumber,
    /// Of each receipt, how long its message is to stay hidden from now on.
    pub(crate) changes: Vec<(Receipt, Duration)>,
}

impl Command for ChangeVisibility {
    /// An answer a receipt.
    type Reply = Vec<Result<(), Refusal>>;

    fn queue(&self) -> Option<QueueNumber> {
        Some(self.queue)
    }

    /// A message that has become visible again is hidden anew: its receiver is still at work. On a
    /// FIFO queue that is so only until the message is received again: then it is another's.
    fn decide(&self, machine: &Machine) -> Result<Decision<Self::Reply>, Refusal> {
        let stock = &machine.queue(self.queue)?.stock;
        let is_fifo = stock.fifo().is_some();
        let mut records = Few::with_capacity(self.changes.len());
        let mut reply = Vec::with_capacity(self.changes.len());
        for (receipt, hidden) in &self.changes {
            let answer = sealed_here(receipt, machine, self.queue)
                .and_then(|()| stock.find(receipt.sequence).ok_or(Refusal::MessageGone))
                .and_then(|held| match held.receives {
                    receives if is_fifo && receives != receipt.receive => Err(Refusal::MessageGone),
                    _ if is_too_long(&held, machine.now(), *hidden) => {
                        Err(Refusal::HiddenTooLong { asked: *hidden })
                    }
                    _ => Ok(()),
                });
            if answer.is_ok() {
                records.push(Record::Hidden {
                    queue: self.queue,
                    until: machine.now() + *hidden,
                    sequences: vec![receipt.sequence],
                });
            }
            reply.push(answer);
        }
        Ok(Decision { records, reply })
    }
}

/// Whether a message would be hidden for longer than is allowed, counted from its last receive.
fn is_too_long(held: &Held, now: Timestamp, hidden: Duration) -> bool {
    let since = now.since(held.received).as_secs();
    !hidden.is_zero() && since + hidden.as_secs() > LONGEST_HIDDEN.as_secs()
}

/// Whether we made `receipt`, for a message of `queue`.
pub(super) fn sealed_here(
    receipt: &Receipt,
    machine: &Machine,
    queue: QueueNumber,
) -> Result<(), Refusal> {
    let secret = machine.secret.ok_or(Refusal::BadReceipt)?;
    receipt.check(machine.id(queue), secret)
}
