//! Forgets which queues were removed, so that their names may be used again at once.

use smallvec::smallvec;

use crate::key::QueueNumber;
use crate::machine::{Command, Decision, Machine};
use crate::record::Record;
use crate::refusal::Refusal;

pub(crate) struct Forget;

impl Command for Forget {
    type Reply = ();

    fn queue(&self) -> Option<QueueNumber> {
        None
    }

    fn decide(&self, _: &Machine) -> Result<Decision<()>, Refusal> {
        Ok(Decision { records: smallvec![Record::Forgotten], reply: () })
    }
}
