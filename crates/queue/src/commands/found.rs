//! Begins a shard: gives it the secret that seals receipts.

use smallvec::smallvec;

use crate::key::QueueNumber;
use crate::machine::{Command, Decision, Few, Machine};
use crate::receipt::Secret;
use crate::record::Record;
use crate::refusal::Refusal;

pub(crate) struct Found {
    pub(crate) secret: Secret,
}

impl Command for Found {
    type Reply = ();

    fn queue(&self) -> Option<QueueNumber> {
        None
    }

    fn decide(&self, machine: &Machine) -> Result<Decision<()>, Refusal> {
        let founded = Record::Founded { secret: self.secret };
        let records = if machine.secret.is_none() { smallvec![founded] } else { Few::new() };
        Ok(Decision { records, reply: () })
    }
}
