//! What clients were told: of each message whether it was acknowledged, and whether its deletion
//! was. It knows nothing of how queues work.

use std::collections::BTreeMap;

use bytes::Bytes;
use tidemill_journal::Position;

/// A message, by the number that its body begins with.
pub(crate) type Name = u64;

#[derive(Debug, Default)]
pub(crate) struct Ledger {
    entries: BTreeMap<Name, Entry>,
    /// Which message was first recorded where.
    names: BTreeMap<Position, Name>,
}

#[derive(Debug)]
struct Entry {
    body: Bytes,
    /// Whoever sent it was told that it is stored.
    is_sure: bool,
    /// It may be gone: dropped for its age, purged, gone with its queue, or about to be deleted.
    may_be_gone: bool,
    /// Since which step it is gone for certain: its deletion was acknowledged.
    gone: Option<u64>,
}

/// The name of a body.
pub(crate) fn name(body: &[u8]) -> Option<Name> {
    str::from_utf8(body.get(..8)?).ok()?.parse().ok()
}

impl Ledger {
    /// The body of a message that was never there before, with so much after its name.
    pub(crate) fn new_body(&mut self, length: usize) -> Bytes {
        let name = Name::try_from(self.entries.len()).unwrap_or(Name::MAX);
        let filling = char::from(b'a' + u8::try_from(name % 26).unwrap_or_default());
        let body = format!("{name:08}{}", String::from(filling).repeat(length));
        let body = Bytes::from(body);
        let (is_sure, may_be_gone, gone) = (false, false, None);
        let entry = Entry { body: body.clone(), is_sure, may_be_gone, gone };
        self.entries.insert(name, entry);
        body
    }

    pub(crate) fn recorded(&mut self, at: Position, body: &[u8]) {
        if let Some(name) = name(body) {
            self.names.insert(at, name);
        }
    }

    pub(crate) fn name_at(&self, at: Position) -> Option<Name> {
        self.names.get(&at).copied()
    }

    pub(crate) fn acknowledged(&mut self, body: &[u8]) {
        if let Some(entry) = self.entry(body) {
            entry.is_sure = true;
        }
    }

    pub(crate) fn may_be_gone(&mut self, at: Position) {
        let entry = self.names.get(&at).and_then(|name| self.entries.get_mut(name));
        if let Some(entry) = entry {
            entry.may_be_gone = true;
        }
    }

    pub(crate) fn is_gone(&mut self, at: Position, step: u64) {
        let entry = self.names.get(&at).and_then(|name| self.entries.get_mut(name));
        if let Some(entry) = entry {
            entry.gone.get_or_insert(step);
        }
    }

    /// What was answered does not count any more: the machine crashed, and was not asked to store
    /// anything for good.
    pub(crate) fn forget_promises(&mut self) {
        for entry in self.entries.values_mut() {
            (entry.is_sure, entry.gone) = (false, None);
        }
    }

    /// Whether a message that was handed out to somebody who asked at this step may be.
    pub(crate) fn delivered(&self, body: &[u8], asked: u64) -> Result<(), String> {
        let Some(entry) = name(body).and_then(|name| self.entries.get(&name)) else {
            return Err(format!("nobody sent {body:?}"));
        };
        if *entry.body != *body {
            return Err(format!("{:?} came back as {body:?}", entry.body));
        }
        match entry.gone {
            Some(step) if step < asked => Err(format!("{:?} was deleted", entry.body)),
            _ => Ok(()),
        }
    }

    /// Whether this can be everything that there is.
    pub(crate) fn judge(&self, found: &[Bytes]) -> Vec<String> {
        let mut wrong = Vec::new();
        let mut counts: BTreeMap<Name, usize> = BTreeMap::new();
        for body in found {
            wrong.extend(self.delivered(body, u64::MAX).err());
            *counts.entry(name(body).unwrap_or(Name::MAX)).or_default() += 1;
        }
        let twice = counts.iter().filter(|(_, count)| **count > 1);
        wrong.extend(twice.map(|(name, count)| format!("message {name} is there {count} times")));
        for (name, entry) in &self.entries {
            let must_be = entry.is_sure && !entry.may_be_gone && entry.gone.is_none();
            if must_be && !counts.contains_key(name) {
                wrong.push(format!("message {name} was acknowledged and is lost"));
            }
        }
        wrong
    }

    fn entry(&mut self, body: &[u8]) -> Option<&mut Entry> {
        name(body).and_then(|name| self.entries.get_mut(&name))
    }
}
