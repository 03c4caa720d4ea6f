//! The data folder: which journal is where, opened for the service and for the commands.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use tidemill_base::{ByteSize, Chance, Clock};
use tidemill_fleet::process::ProcessDriver;
use tidemill_fleet::{Environment, Fleet};
use tidemill_identity::IdentityStore;
use tidemill_journal::{Driver, FaultyDriver, FileDriver, Options};
use tidemill_metric::Metrics;
use tidemill_notice::Notices;
use tidemill_queue::{Config, Engine};
use tidemill_scaling::group::Groups;

use crate::faults::Disks;
use crate::settings::Instances;

/// The journal of what belongs to the whole service: identities and settings.
pub(crate) const SYSTEM: &str = "system";
/// The journal of the first shard of queues.
pub(crate) const SHARD: &str = "shard-0000";

/// The journal of what was measured.
pub(crate) const METRICS: &str = "metrics";

/// The journal of instances and launch templates.
pub(crate) const FLEET: &str = "fleet";

/// The journal of groups, which scale.
pub(crate) const GROUPS: &str = "groups";

/// The journal of topics, and who subscribed to them.
pub(crate) const TOPICS: &str = "topics";

/// The journals of a data folder, by what they hold.
pub(crate) const JOURNALS: [&str; 6] = [SYSTEM, SHARD, METRICS, FLEET, GROUPS, TOPICS];

/// What a journal of the folder stands on: its files, which fail as `disks` say.
fn driver(folder: &Path, journal: &str, disks: Option<&Disks>) -> Arc<dyn Driver> {
    let files = FileDriver::new(folder.join(journal));
    match disks.and_then(|disks| disks.of(journal)) {
        None => Arc::new(files),
        Some(faults) => Arc::new(FaultyDriver::new(files, faults)),
    }
}

/// Opens the identities that the folder holds.
pub(crate) fn open_identity(
    folder: &Path,
    options: Options,
    clock: &Clock,
    chance: &Chance,
    disks: Option<&Disks>,
) -> anyhow::Result<IdentityStore> {
    let driver = driver(folder, SYSTEM, disks);
    IdentityStore::open(driver, options, clock.clone(), chance.clone())
        .with_context(|| format!("cannot open {}", folder.join(SYSTEM).display()))
}

/// Opens the queues that the folder holds.
pub(crate) fn open_engine(
    folder: &Path,
    config: Config,
    disks: Option<&Disks>,
) -> anyhow::Result<Engine> {
    Engine::open(driver(folder, SHARD, disks), config)
        .with_context(|| format!("cannot open {}", folder.join(SHARD).display()))
}

/// Opens the metrics that the folder holds; they take about `limit` of memory.
pub(crate) fn open_metrics(
    folder: &Path,
    options: Options,
    clock: &Clock,
    limit: ByteSize,
    disks: Option<&Disks>,
) -> anyhow::Result<Metrics> {
    let driver = driver(folder, METRICS, disks);
    // Nothing is read back from this log but when it is opened.
    let options = Options { recent: ByteSize::kib(64), ..options };
    Metrics::open(driver, options, clock.clone(), limit)
        .with_context(|| format!("cannot open {}", folder.join(METRICS).display()))
}

/// Opens the groups that the folder holds.
pub(crate) fn open_groups(
    folder: &Path,
    options: Options,
    clock: &Clock,
    chance: &Chance,
    disks: Option<&Disks>,
) -> anyhow::Result<Groups> {
    let driver = driver(folder, GROUPS, disks);
    // Nothing is read back from this log but when it is opened.
    let options = Options { recent: ByteSize::kib(64), ..options };
    Groups::open(driver, options, clock.clone(), chance.clone())
        .with_context(|| format!("cannot open {}", folder.join(GROUPS).display()))
}

/// Opens the topics that the folder holds.
pub(crate) fn open_topics(
    folder: &Path,
    options: Options,
    clock: &Clock,
    chance: &Chance,
    disks: Option<&Disks>,
) -> anyhow::Result<Notices> {
    let driver = driver(folder, TOPICS, disks);
    // Nothing is read back from this log but when it is opened.
    let options = Options { recent: ByteSize::kib(64), ..options };
    Notices::open(driver, options, clock.clone(), chance.clone())
        .with_context(|| format!("cannot open {}", folder.join(TOPICS).display()))
}

/// Opens the instances that the folder holds, and the place where they run.
pub(crate) fn open_fleet(
    folder: &Path,
    options: Options,
    (clock, chance): (Clock, Chance),
    instances: &Instances,
    environment: Environment,
    disks: Option<&Disks>,
) -> anyhow::Result<Fleet> {
    let Instances { dir, user, as_root, most, .. } = instances;
    let place = ProcessDriver::open(dir, Some(user.clone()), *as_root)?;
    let options = Options { recent: ByteSize::kib(64), ..options };
    let journal = driver(folder, FLEET, disks);
    let fleet = Fleet::open(journal, options, (clock, chance), Box::new(place), environment, *most);
    fleet.with_context(|| format!("cannot open {}", folder.join(FLEET).display()))
}
