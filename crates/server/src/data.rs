//! The data folder: which journal is where, opened for the service and for the commands.

use std::path::Path;

use anyhow::Context as _;
use tidemill_base::{ByteSize, Chance, Clock};
use tidemill_fleet::process::ProcessDriver;
use tidemill_fleet::{Environment, Fleet};
use tidemill_identity::IdentityStore;
use tidemill_journal::{Faults, FaultyDriver, FileDriver, Options};
use tidemill_metric::Metrics;
use tidemill_queue::{Config, Engine};

use crate::settings::Instances;

/// The journal of what belongs to the whole service: identities and settings.
const SYSTEM: &str = "system";
/// The journal of the first shard of queues.
const SHARD: &str = "shard-0000";

/// The journal of what was measured.
const METRICS: &str = "metrics";

/// The journal of instances and launch templates.
const FLEET: &str = "fleet";

/// The journals of a data folder, by what they hold.
pub(crate) const JOURNALS: [&str; 4] = [SYSTEM, SHARD, METRICS, FLEET];

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

/// Opens the metrics that the folder holds; they take about `limit` of memory.
pub(crate) fn open_metrics(
    folder: &Path,
    options: Options,
    clock: &Clock,
    limit: ByteSize,
) -> anyhow::Result<Metrics> {
    let driver = FileDriver::new(folder.join(METRICS));
    // Nothing is read back from this log but when it is opened.
    let options = Options { recent: ByteSize::kib(64), ..options };
    Metrics::open(driver, options, clock.clone(), limit)
        .with_context(|| format!("cannot open {}", folder.join(METRICS).display()))
}

/// Opens the instances that the folder holds, and the place where they run.
pub(crate) fn open_fleet(
    folder: &Path,
    options: Options,
    (clock, chance): (Clock, Chance),
    instances: &Instances,
    environment: Environment,
) -> anyhow::Result<Fleet> {
    let Instances { dir, user, as_root, most, .. } = instances;
    let driver = ProcessDriver::open(dir, Some(user.clone()), *as_root)?;
    let options = Options { recent: ByteSize::kib(64), ..options };
    let journal = FileDriver::new(folder.join(FLEET));
    let fleet =
        Fleet::open(journal, options, (clock, chance), Box::new(driver), environment, *most);
    fleet.with_context(|| format!("cannot open {}", folder.join(FLEET).display()))
}
