//! `tidemill serve`: from settings to a running service, and down again in good order.

use std::future::pending;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use anyhow::{Context as _, bail};
use tidemill_base::{Chance, Clock, Timestamp};
use tidemill_fleet::Fleet;
use tidemill_journal::Options;
use tidemill_queue::Config;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinHandle;
use tracing::{error, info};

use crate::app::App;
use crate::failure::Logs;
use crate::faults::Disks;
use crate::metadata::Metadata;
use crate::roles::Roles;
use crate::settings::{ClockKind, Settings};
use crate::workers::Workers;
use crate::{data, instances, listen, logs, tls};

/// Runs the service until it is told to stop.
pub(crate) fn run(settings: Settings) -> anyhow::Result<()> {
    logs::start(&settings.log, settings.log_format)?;
    // This thread takes connections and keeps the time; the workers do the rest.
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_all().build().context("cannot start the main thread")?;
    runtime.block_on(serve(settings))
}

async fn serve(settings: Settings) -> anyhow::Result<()> {
    let tls = settings.tls.as_ref().map(tls::acceptor).transpose()?;
    let door = Arc::new(open(settings)?.door());
    let app = &door.handler;
    app.identity.found().await.context("writing down what seals sessions")?;
    let settings = &app.settings;
    let workers = Workers::start(settings.threads).context("cannot start the serving threads")?;
    let listener = TcpListener::bind(settings.listen).await.with_context(|| {
        format!("cannot listen on {}: is another service there? (see --listen)", settings.listen)
    })?;
    let address = listener.local_addr().context("the listener's address")?;
    let scheme = if tls.is_some() { "https" } else { "http" };
    info!(
        url = %format_args!("{scheme}://{address}"),
        data_dir = %settings.data_dir.display(),
        sync = %settings.sync,
        open = !app.identity.has_credentials(),
        version = env!("CARGO_PKG_VERSION"),
        "serving; point clients here with AWS_ENDPOINT_URL={scheme}://{address}",
    );
    let found = reached(settings, address);
    app.endpoint.set(found).expect("the service is started once");
    let timer = tokio::spawn(app.engine.clone().run());
    let (fleet, metadata) = (app.fleet.clone(), Arc::clone(&app.metadata));
    let keeper = tokio::spawn(async move {
        let Some(fleet) = fleet else { return pending().await };
        // Before anything else may take them.
        metadata.restore(&fleet);
        tokio::join!(fleet.run(), metadata.run(&fleet));
    });
    let minutes = tokio::spawn({
        let door = Arc::clone(&door);
        async move {
            let app = &door.handler;
            tokio::join!(app.minutes.run(), app.logs.tell());
        }
    });
    let scaler = tokio::spawn({
        let autoscaling = app.autoscaling.clone();
        async move { autoscaling.run().await }
    });
    let scaling = scaler.abort_handle();
    let stop = until_told(timer, minutes, keeper, scaler);
    let mut failed = None;
    let stop = async {
        failed = stop.await.err();
        scaling.abort();
        // While they are answered: who is asked to stop still wants to delete what it has done.
        if let Some(fleet) = &app.fleet
            && settings.instances.as_ref().is_some_and(|instances| instances.stop)
        {
            fleet.stop_all().await;
        }
    };
    listen::serve(Arc::clone(&door), &workers, listener, tls, stop).await;
    close(app).await?;
    match failed {
        None => {
            info!("stopped");
            Ok(())
        }
        Some(failure) => Err(failure),
    }
}

/// Closes every log, whatever becomes of the others; tells of the first that was not.
async fn close(app: &App) -> anyhow::Result<()> {
    let queues = app.engine.shut_down().await.context("the last checkpoint");
    let fleet = app.fleet.as_ref().map_or(Ok(()), Fleet::close);
    let fleet = fleet.context("closing the instances' journal");
    let groups = app.groups.close().context("closing the groups' journal");
    let topics = app.logs.topics.close().context("closing the topics' journal");
    let measured = app.measured.close().context("closing the metrics' journal");
    let identity = app.identity.close().context("closing the identities' journal");
    queues.and(groups).and(topics).and(fleet).and(measured).and(identity)
}

fn open(settings: Settings) -> anyhow::Result<App> {
    let clock = match settings.clock {
        ClockKind::System => Clock::system(),
        // It starts at the machine's time, so that what clients sign is not of another day.
        ClockKind::Manual => Clock::manual(Clock::system().now()),
    };
    let chance = Chance::system();
    let options =
        Options { sync: settings.sync, recent: settings.recent_bodies, ..Options::default() };
    let folder = &settings.data_dir;
    let disks = settings.allow_faults.then(Disks::sound);
    let disks = disks.as_ref();
    let identity = data::open_identity(folder, options.clone(), &clock, &chance, disks)?;
    if !settings.listen.ip().is_loopback() && !identity.has_credentials() {
        bail!(
            "listening on {} needs credentials, and there are none: make a root key with\n\n    \
             tidemill init --data-dir {}\n\nor listen on 127.0.0.1",
            settings.listen,
            folder.display()
        );
    }
    let started = clock.monotonic();
    let limit = settings.metrics_memory;
    let measured = data::open_metrics(folder, options.clone(), &clock, limit, disks)?;
    let fleet_options = options.clone();
    let groups = data::open_groups(folder, options.clone(), &clock, &chance, disks)?;
    let topics = data::open_topics(folder, options.clone(), &clock, &chance, disks)?;
    let config = Config {
        journal: options,
        clock: clock.clone(),
        chance: chance.clone(),
        reserve: settings.disk_reserve,
        patience: settings.disk_patience,
    };
    let engine = data::open_engine(folder, config, disks)?;
    let endpoint = Arc::new(OnceLock::new());
    let identity = Arc::new(identity);
    let life = settings.instances.as_ref().map_or(Duration::ZERO, |it| it.role_session);
    let roles = Arc::new(Roles::new(Arc::clone(&identity), clock.clone(), life));
    let (groups_known, roles_known) = (groups.clone(), Arc::clone(&roles));
    let metadata = Metadata::new(clock.clone(), chance.clone(), groups_known, roles_known);
    let metadata = Arc::new(metadata);
    let open = !identity.has_credentials();
    let fleet = settings.instances.as_ref().map(|instances| {
        let (endpoint, metadata) = (Arc::clone(&endpoint), Arc::clone(&metadata));
        let environment = instances::environment(endpoint, metadata, roles, open);
        data::open_fleet(
            folder,
            fleet_options,
            (clock.clone(), chance.clone()),
            instances,
            environment,
            disks,
        )
    });
    let logs = Logs { engine, measured, fleet: fleet.transpose()?, groups, topics, identity };
    info!(took = ?clock.monotonic().saturating_sub(started), "the data is open");
    let disks = disks.cloned();
    Ok(App { disks, ..App::new(settings, clock, chance, logs, metadata, endpoint) })
}

/// Waits for the signal to stop. A background task that ends by itself stops the service too,
/// with an error: half a service is worse than none.
async fn until_told(
    timer: JoinHandle<()>,
    minutes: JoinHandle<()>,
    keeper: JoinHandle<()>,
    scaler: JoinHandle<()>,
) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen for SIGINT")?;
    tokio::select! {
        _ = terminate.recv() => info!("stopping: SIGTERM"),
        _ = interrupt.recv() => info!("stopping: SIGINT"),
        ended = timer => {
            error!(?ended, "the timer of the queues ended by itself");
            bail!("a background task ended by itself: {ended:?}");
        }
        ended = minutes => {
            error!(?ended, "what is done each minute ended by itself");
            bail!("a background task ended by itself: {ended:?}");
        }
        ended = scaler => {
            error!(?ended, "the loop that looks after the groups ended by itself");
            bail!("a background task ended by itself: {ended:?}");
        }
        ended = keeper => {
            error!(?ended, "the keeper of the instances ended by itself");
            bail!("a background task ended by itself: {ended:?}");
        }
    }
    Ok(())
}

/// Where processes of this machine reach the service.
fn reached(settings: &Settings, address: SocketAddr) -> String {
    if let Some((scheme, host)) = &settings.public_url {
        return format!("{scheme}://{host}");
    }
    let mut address = address;
    if address.ip().is_unspecified() {
        let loopback =
            if address.is_ipv6() { [0, 0, 0, 0, 0, 0, 0, 1].into() } else { [127, 0, 0, 1].into() };
        address.set_ip(loopback);
    }
    let scheme = if settings.tls.is_some() { "https" } else { "http" };
    format!("{scheme}://{address}")
}

/// The time, for those who run no service.
pub(crate) fn now() -> Timestamp {
    Clock::system().now()
}
