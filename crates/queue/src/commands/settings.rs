//! Changes how a queue behaves, and how it is labelled.

use smallvec::smallvec;

use crate::key::QueueNumber;
use crate::machine::{Command, Decision, Machine};
use crate::record::Record;
use crate::refusal::Refusal;
use crate::settings::{SettingsChange, Tags};

pub(crate) struct Configure {
    pub(crate) queue: QueueNumber,
    pub(crate) change: SettingsChange,
}

impl Command for Configure {
    type Reply = ();

    fn queue(&self) -> Option<QueueNumber> {
        Some(self.queue)
    }

    fn decide(&self, machine: &Machine) -> Result<Decision<()>, Refusal> {
        let queue = machine.queue(self.queue)?;
        let settings = Box::new(self.change.applied_to(&queue.facts.settings));
        let configured = Record::Configured { queue: self.queue, at: machine.now(), settings };
        Ok(Decision { records: smallvec![configured], reply: () })
    }
}

pub(crate) struct Tag {
    pub(crate) queue: QueueNumber,
    pub(crate) set: Tags,
    pub(crate) clear: Vec<String>,
}

impl Command for Tag {
    type Reply = ();

    fn queue(&self) -> Option<QueueNumber> {
        Some(self.queue)
    }

    fn decide(&self, machine: &Machine) -> Result<Decision<()>, Refusal> {
        let mut tags = machine.queue(self.queue)?.facts.tags.as_ref().clone();
        tags.retain(|name, _| !self.clear.contains(name));
        tags.extend(self.set.clone());
        let tagged = Record::Tagged { queue: self.queue, at: machine.now(), tags };
        Ok(Decision { records: smallvec![tagged], reply: () })
    }
}
