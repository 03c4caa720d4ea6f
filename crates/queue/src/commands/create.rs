//! Makes a queue, or finds the one that is as wanted.

use smallvec::smallvec;

use crate::key::{QueueId, QueueKey, QueueNumber};
use crate::machine::{Command, Decision, Few, Machine};
use crate::record::{self, Record};
use crate::refusal::Refusal;
use crate::settings::{SettingsChange, Tags};

/// A queue that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Created {
    /// Which one.
    pub id: QueueId,
    /// Whether it was there before.
    pub existed: bool,
}

pub(crate) struct Create {
    pub(crate) key: QueueKey,
    /// What differs from the defaults; of an existing queue, what it must have.
    pub(crate) settings: SettingsChange,
    pub(crate) tags: Tags,
}

impl Command for Create {
    type Reply = Created;

    fn queue(&self) -> Option<QueueNumber> {
        None
    }

    fn decide(&self, machine: &Machine) -> Result<Decision<Created>, Refusal> {
        if let Some(queue) = machine.find(&self.key) {
            if let Some(setting) = self.settings.first_difference(&queue.facts.settings) {
                return Err(Refusal::Exists { setting });
            }
            let reply = Created { id: machine.id(queue.facts.number), existed: true };
            return Ok(Decision { records: Few::new(), reply });
        }
        if machine.reserved_until(&self.key).is_some_and(|until| machine.now() < until) {
            return Err(Refusal::RemovedRecently);
        }
        let created = record::Created {
            queue: machine.next_queue,
            at: machine.now(),
            key: self.key.clone(),
            settings: self.settings.from_defaults(),
            tags: self.tags.clone(),
        };
        let reply = Created { id: machine.id(created.queue), existed: false };
        Ok(Decision { records: smallvec![Record::Created(Box::new(created))], reply })
    }
}
