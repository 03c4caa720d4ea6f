//! `POST /_tidemill/faults`: a disk that fails on demand, for tests of whoever runs the service.

use serde::{Deserialize, Deserializer};
use tidemill_base::ByteSize;
use tidemill_journal::{Fault, Faults, Operation};
use tracing::warn;

use crate::data::JOURNALS;

/// What is to go wrong, one of these at a time.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) enum Asked {
    /// The next write fails, and nothing of it was done.
    FailWrite,
    /// The next write fails, and only its first so many bytes were written.
    TearWrite(#[serde(deserialize_with = "size")] ByteSize),
    /// The next write finds no space.
    FillWrite,
    /// The next sync fails.
    FailSync,
    /// The next sync waits for `resume`.
    StallSync,
    /// The next write waits for `resume`.
    StallWrite,
    /// Goes on with what waits; nothing waits any more.
    Resume,
    /// The disk says that it has so much room left.
    Free(#[serde(deserialize_with = "size")] ByteSize),
    /// It says again how much it has.
    FreeAsItIs,
}

/// What goes wrong, by log.
#[derive(Clone, Debug)]
pub(crate) struct Disks([Faults; JOURNALS.len()]);

impl Disks {
    /// Nothing yet.
    pub(crate) fn sound() -> Self {
        Self(JOURNALS.map(|_| Faults::none()))
    }

    /// What goes wrong under the log of that name, if there is one.
    pub(crate) fn of(&self, log: &str) -> Option<&Faults> {
        JOURNALS.iter().position(|name| *name == log).map(|index| &self.0[index])
    }
}

/// Has it go wrong.
pub(crate) fn plan(faults: &Faults, asked: Asked) {
    warn!(?asked, "the disk is made to fail");
    let next = |operation, fault| faults.plan(operation, 0, fault);
    match asked {
        Asked::FailWrite => next(Operation::Append, Fault::Error),
        Asked::TearWrite(bytes) => next(Operation::Append, Fault::Torn(bytes)),
        Asked::FillWrite => next(Operation::Append, Fault::Full),
        Asked::FailSync => next(Operation::Sync, Fault::Error),
        Asked::StallSync => next(Operation::Sync, Fault::Stall),
        Asked::StallWrite => next(Operation::Append, Fault::Stall),
        Asked::Resume => faults.resume(),
        Asked::Free(room) => faults.set_free(Some(room)),
        Asked::FreeAsItIs => faults.set_free(None),
    }
}

fn size<'de, D: Deserializer<'de>>(deserializer: D) -> Result<ByteSize, D::Error> {
    let text = String::deserialize(deserializer)?;
    text.parse().map_err(serde::de::Error::custom)
}
