//! The metadata service of instances: what each may ask about itself, as EC2's answers at
//! 169.254.169.254, versions 1 and 2.
//!
//! Each instance has a port of its own on loopback, which says whose questions these are. A path
//! would say it too, but the SDKs for JavaScript and Go drop that of the endpoint they are given.
//! Which port is an instance's stands in the variables that its programs were started with, so that
//! a service that starts again listens where they ask.

mod content;
mod door;

use std::collections::{HashMap, HashSet};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tidemill_base::{Chance, Clock};
use tidemill_fleet::{Fleet, Instance, InstanceId, Phase};
use tidemill_scaling::group::Groups;
use tokio::sync::{Notify, Semaphore};
use tokio::task::{AbortHandle, JoinSet};
use tracing::warn;

use self::door::Keeper;
use crate::roles::Roles;

/// The variable that SDKs look for the service in.
pub(crate) const ENDPOINT: &str = "AWS_EC2_METADATA_SERVICE_ENDPOINT";

/// Most connections at once, of all instances: each takes a file of the service.
pub(crate) const CONNECTIONS: usize = 64;
/// How often to look whose ports are needed no more.
const PAUSE: Duration = Duration::from_secs(2);

/// The ports of all instances.
pub(crate) struct Metadata {
    clock: Clock,
    chance: Chance,
    groups: Groups,
    roles: Arc<Roles>,
    ports: Mutex<Ports>,
    /// One for each connection that there may still be.
    places: Arc<Semaphore>,
    /// Told when a port is to be listened on.
    changed: Notify,
}

#[derive(Default)]
struct Ports {
    known: HashMap<InstanceId, u16>,
    /// Bound, and not yet listened on.
    fresh: Vec<(InstanceId, TcpListener)>,
}

impl Metadata {
    pub(crate) fn new(clock: Clock, chance: Chance, groups: Groups, roles: Arc<Roles>) -> Self {
        let (ports, changed) = (Mutex::default(), Notify::new());
        let places = Arc::new(Semaphore::new(CONNECTIONS));
        Self { clock, chance, groups, roles, ports, places, changed }
    }

    /// Where an instance asks: its port, which it is given now if it has none.
    pub(crate) fn address(&self, id: InstanceId) -> Option<String> {
        let known = self.ports().known.get(&id).copied();
        let port = known.or_else(|| self.bind(id, 0));
        port.map(|port| format!("http://127.0.0.1:{port}"))
    }

    /// Takes the ports again at which programs ask that were started before.
    pub(crate) fn restore(&self, fleet: &Fleet) {
        let running: Vec<InstanceId> = fleet.look(|state| {
            state.instances().filter(|it| asks(it)).map(|instance| instance.id).collect()
        });
        for id in running {
            let told = fleet.told(id);
            let address = told.iter().find(|(name, _)| name == ENDPOINT);
            let port = address.and_then(|(_, address)| address.rsplit(':').next()?.parse().ok());
            if let Some(port) = port {
                self.bind(id, port);
            }
        }
    }

    fn bind(&self, id: InstanceId, port: u16) -> Option<u16> {
        let bound = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
        let bound = bound.and_then(|listener| {
            listener.set_nonblocking(true)?;
            Ok((listener.local_addr()?.port(), listener))
        });
        match bound {
            Ok((port, listener)) => {
                let mut ports = self.ports();
                ports.known.insert(id, port);
                ports.fresh.push((id, listener));
                self.changed.notify_one();
                Some(port)
            }
            Err(error) => {
                warn!(instance = %id, port, %error, "an instance cannot ask for its metadata");
                None
            }
        }
    }

    /// Listens on the ports of instances as long as they run; never returns.
    pub(crate) async fn run(&self, fleet: &Fleet) {
        let mut listening = JoinSet::new();
        let mut handles: HashMap<InstanceId, AbortHandle> = HashMap::new();
        loop {
            let fresh = std::mem::take(&mut self.ports().fresh);
            for (id, listener) in fresh {
                let (clock, chance) = (self.clock.clone(), self.chance.clone());
                let known = (fleet.clone(), self.groups.clone());
                let roles = Arc::clone(&self.roles);
                let keeper = Arc::new(Keeper::new(id, known, clock, chance, roles));
                let places = Arc::clone(&self.places);
                handles.insert(id, listening.spawn(keeper.listen(listener, places)));
            }
            let asking: HashSet<InstanceId> = fleet.look(|state| {
                state.instances().filter(|it| asks(it)).map(|instance| instance.id).collect()
            });
            self.forget_others(&asking);
            handles.retain(|id, handle| {
                let needed = asking.contains(id);
                if !needed {
                    handle.abort();
                }
                needed
            });
            while let Some(ended) = listening.try_join_next() {
                if let Err(error) = ended
                    && let Ok(panic) = error.try_into_panic()
                {
                    std::panic::resume_unwind(panic);
                }
            }
            tokio::select! {
                () = self.changed.notified() => {}
                () = tokio::time::sleep(PAUSE) => {}
            }
        }
    }

    /// Forgets the ports of instances that do not ask any more.
    fn forget_others(&self, asking: &HashSet<InstanceId>) {
        let mut ports = self.ports();
        let Ports { known, fresh } = &mut *ports;
        // One that was launched meanwhile asks, too.
        known.retain(|id, _| asking.contains(id) || fresh.iter().any(|(new, _)| new == id));
    }

    fn ports(&self) -> MutexGuard<'_, Ports> {
        self.ports.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether something of an instance may run, and ask.
fn asks(instance: &Instance) -> bool {
    !matches!(instance.phase, Phase::Stopped | Phase::Terminated)
}
