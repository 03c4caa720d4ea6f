//! The data folder: which journal is where, opened for the service and for the commands.

use std::path::Path;

use anyhow::Context as _;
use tidemill_base::{Chance, Clock};
use tidemill_identity::IdentityStore;
use tidemill_journal::{Faults, FaultyDriver, FileDriver, Options};
use tidemill_queue::{Config, Engine};

/// The journal of what belongs to the whole service: identities and settings.
const SYSTEM: &str = "system";
/// The journal of the first shard of queues.
const SHARD: &str = "shard-0000";

/// The journals of a data folder, by what they hold.
pub(crate) const JOURNALS: [&str; 2] = [SYSTEM, SHARD];

/// Opens the identities that the folder holds.
pub(crate) fn open_identity(
    folder: &Path,
    options: Options,
    clock: &Clock,
    chance: &Chance,
) -> anyhow::Result<IdentityStore> {
    let driver = FileDriver::new(folder.join(SYSTEM));
    IdentityStore::open(driver, options, clock.clone(), chance.clone())
        .with_context(|| format!("cannot open {}", folder.join(SYSTEM).display()))
}

/// Opens the queues that the folder holds. With `faults`, the disk does as those say.
pub(crate) fn open_engine(
    folder: &Path,
    config: Config,
    faults: Option<&Faults>,
) -> anyhow::Result<Engine> {
    let driver = FileDriver::new(folder.join(SHARD));
    let opened = match faults {
        None => Engine::open(driver, config),
        Some(faults) => Engine::open(FaultyDriver::new(driver, faults), config),
    };
    opened.with_context(|| format!("cannot open {}", folder.join(SHARD).display()))
}
