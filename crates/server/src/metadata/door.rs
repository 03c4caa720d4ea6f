//! One instance's port: tokens, and who is answered what.

use std::collections::HashMap;
use std::net::TcpListener;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::header::{AUTHORIZATION, HOST};
use http::{HeaderName, Method, StatusCode};
use tidemill_base::{ByteSize, Chance, Clock, Timestamp};
use tidemill_fleet::{Fleet, Instance, InstanceId};
use tidemill_http::{Answer, Budget, Door, Handler, Limits, Request};
use tidemill_scaling::group::Groups;
use tidemill_services::target_of;
use tokio::sync::{Semaphore, watch};
use tokio::time::sleep;

use super::content;
use crate::host;
use crate::roles::{self, KEYS_PATH, Roles};

const TTL: HeaderName = HeaderName::from_static("x-aws-ec2-metadata-token-ttl-seconds");
const TOKEN: HeaderName = HeaderName::from_static("x-aws-ec2-metadata-token");
const FORWARDED: HeaderName = HeaderName::from_static("x-forwarded-for");

const TEXT: &str = "text/plain";
/// The longest life of a token, in seconds.
const LONGEST: u64 = 21_600;
/// Most tokens at once; beyond, the one that ends first is forgotten.
const TOKENS: usize = 1000;
/// Most connections at once of one instance: it asks for itself alone, and leaves some for others.
const CONNECTIONS: usize = 16;
/// How long to rest when no connection can be taken.
const BREATHER: Duration = Duration::from_millis(50);

/// Answers one instance.
pub(super) struct Keeper {
    id: InstanceId,
    fleet: Fleet,
    groups: Groups,
    clock: Clock,
    chance: Chance,
    roles: Arc<Roles>,
    /// Until when each token may be shown.
    tokens: Mutex<HashMap<String, Timestamp>>,
}

impl Keeper {
    pub(super) fn new(
        id: InstanceId,
        (fleet, groups): (Fleet, Groups),
        clock: Clock,
        chance: Chance,
        roles: Arc<Roles>,
    ) -> Self {
        Self { id, fleet, groups, clock, chance, roles, tokens: Mutex::default() }
    }

    /// Answers who comes to the port, as long as there are `places`, until this is dropped.
    pub(super) async fn listen(self: Arc<Self>, listener: TcpListener, places: Arc<Semaphore>) {
        let Ok(listener) = tokio::net::TcpListener::from_std(listener) else { return };
        let limits = Limits {
            head: ByteSize::kib(16),
            body: ByteSize::kib(4),
            head_timeout: Duration::from_secs(30),
            body_timeout: Duration::from_secs(10),
            write_timeout: Duration::from_secs(10),
        };
        let (budget, clock) = (Budget::new(ByteSize::mib(4)), self.clock.clone());
        let door = Arc::new(Door { handler: Asked(self), limits, budget, clock });
        // Connections end when this does: the other end of it goes with them.
        let (_going, stop) = watch::channel(false);
        let mut connections = tokio::task::JoinSet::new();
        loop {
            let Ok((stream, _)) = listener.accept().await else {
                sleep(BREATHER).await;
                continue;
            };
            while connections.try_join_next().is_some() {}
            if connections.len() >= CONNECTIONS {
                continue;
            }
            let Ok(place) = Arc::clone(&places).try_acquire_owned() else { continue };
            let (door, stop) = (Arc::clone(&door), stop.clone());
            connections.spawn(async move {
                // Whoever hangs up early has had enough.
                drop(tidemill_http::serve(stream, &door, stop).await);
                drop(place);
            });
        }
    }

    fn answer(&self, request: &Request<'_>) -> Answer {
        // Under another name a page in a browser may ask.
        if !request.headers.text(HOST).is_none_or(host::is_at_home) {
            return plain(StatusCode::FORBIDDEN, "ask by the address");
        }
        let Some(instance) = self.fleet.look(|state| state.instance(self.id).cloned()) else {
            return plain(StatusCode::NOT_FOUND, "there is no such instance");
        };
        if request.path == KEYS_PATH {
            return self.keys(request, &instance);
        }
        let options = instance.recipe.metadata.clone().unwrap_or_default();
        if options.endpoint.as_deref() == Some("disabled") {
            return plain(StatusCode::FORBIDDEN, "the instance has its metadata turned off");
        }
        match *request.method {
            Method::PUT => self.token(request),
            Method::GET | Method::HEAD => {
                let required = options.tokens.as_deref() == Some("required");
                self.read(request, &instance, required)
            }
            _ => plain(StatusCode::METHOD_NOT_ALLOWED, "GET or PUT"),
        }
    }

    /// `GET /tidemill/credentials`, as a container asks: whoever shows what the instance's programs
    /// were told is given its key.
    fn keys(&self, request: &Request<'_>, instance: &Instance) -> Answer {
        if *request.method != Method::GET {
            return plain(StatusCode::METHOD_NOT_ALLOWED, "GET");
        }
        let shown = request.headers.text(AUTHORIZATION);
        if !shown.is_some_and(|shown| self.roles.is_pass(self.id, shown)) {
            let needed = "show AWS_CONTAINER_AUTHORIZATION_TOKEN as the header Authorization";
            return plain(StatusCode::UNAUTHORIZED, needed);
        }
        match self.roles.key(instance) {
            Some(key) => json(roles::for_container(&key).to_string()),
            None => plain(StatusCode::NOT_FOUND, "the instance has no role"),
        }
    }

    /// `PUT /latest/api/token`.
    fn token(&self, request: &Request<'_>) -> Answer {
        if request.path != "/latest/api/token" {
            return plain(StatusCode::FORBIDDEN, "only a token is put");
        }
        // Through a proxy somebody else could ask.
        if request.headers.get(FORWARDED).is_some() {
            return plain(StatusCode::FORBIDDEN, "not through a proxy");
        }
        let span = request.headers.text(TTL).and_then(|span| span.parse().ok());
        let Some(span) = span.filter(|span| (1..=LONGEST).contains(span)) else {
            return plain(StatusCode::BAD_REQUEST, "the token's time is 1 to 21600 seconds");
        };
        let token = self.chance.bytes::<32>().map(|byte| format!("{byte:02x}")).concat();
        let now = self.clock.now();
        let mut tokens = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        tokens.retain(|_, until| *until > now);
        if tokens.len() >= TOKENS
            && let Some(first) = tokens.iter().min_by_key(|(_, until)| **until)
        {
            let first = first.0.clone();
            tokens.remove(&first);
        }
        tokens.insert(token.clone(), now + Duration::from_secs(span));
        let mut answer = plain(StatusCode::OK, token);
        answer.headers.insert(TTL, span.to_string());
        answer
    }

    fn read(&self, request: &Request<'_>, instance: &Instance, required: bool) -> Answer {
        let shown = request.headers.text(TOKEN);
        let known = shown.and_then(|token| {
            let tokens = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
            tokens.get(token).copied().filter(|until| *until > self.clock.now())
        });
        if known.is_none() && (shown.is_some() || required) {
            return plain(StatusCode::UNAUTHORIZED, "show a token: PUT /latest/api/token");
        }
        let key = instance.recipe.profile.as_ref().and_then(|_| self.roles.key(instance));
        let target = target_of(&self.groups, self.id);
        match content::find(instance, key.as_ref(), target, request.path) {
            Some(found) => {
                let mut answer = plain(StatusCode::OK, found);
                if let Some(until) = known {
                    let left = until.since(self.clock.now()).as_secs();
                    answer.headers.insert(TTL, left.to_string());
                }
                answer
            }
            None => plain(StatusCode::NOT_FOUND, "there is nothing here"),
        }
    }
}

/// A keeper as connections come to it.
struct Asked(Arc<Keeper>);

impl Handler for Asked {
    async fn answer(&self, request: Request<'_>) -> Answer {
        self.0.answer(&request)
    }
}

fn json(text: String) -> Answer {
    Answer::new(StatusCode::OK, "application/json", text)
}

fn plain(status: StatusCode, text: impl Into<bytes::Bytes>) -> Answer {
    Answer::new(status, TEXT, text)
}
