//! The service as one value: what every request needs, and which paths are whose.

use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::{Request, Response};
use tidemill_base::{Chance, Clock};
use tidemill_identity::IdentityStore;
use tidemill_journal::Faults;
use tidemill_queue::Engine;
use tidemill_services::Sqs;
use tidemill_sign::KeyCache;

use crate::budget::Budget;
use crate::crowd::Crowd;
use crate::metrics::Metrics;
use crate::settings::Settings;
use crate::{control, journey, welcome};

/// An answer, whole.
pub(crate) type Answer = Response<Full<Bytes>>;

/// What every request needs.
pub(crate) struct App {
    pub(crate) settings: Settings,
    pub(crate) clock: Clock,
    pub(crate) chance: Chance,
    pub(crate) engine: Engine,
    pub(crate) sqs: Sqs,
    pub(crate) identity: IdentityStore,
    pub(crate) keys: KeyCache,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) crowd: Crowd,
    pub(crate) budget: Budget,
    /// What goes wrong with the disk, where tests may say so.
    pub(crate) faults: Option<Faults>,
}

/// How many derived signing keys are kept: one a key, day, region and service.
const SIGNING_KEYS: usize = 1024;

impl App {
    pub(crate) fn new(
        settings: Settings,
        clock: Clock,
        chance: Chance,
        engine: Engine,
        identity: IdentityStore,
    ) -> Self {
        let crowd = Crowd::new(settings.max_connections);
        let budget = Budget::new(settings.request_memory);
        let mut metrics = Metrics::new(engine.clone(), clock.clone());
        metrics.watch(&crowd, &budget);
        let metrics = Arc::new(metrics);
        let sqs = Sqs::new(engine.clone());
        let keys = KeyCache::new(SIGNING_KEYS);
        let faults = None;
        Self {
            settings,
            clock,
            chance,
            engine,
            sqs,
            identity,
            keys,
            metrics,
            crowd,
            budget,
            faults,
        }
    }

    /// Answers one request, whatever it is.
    pub(crate) async fn answer(
        self: Arc<Self>,
        request: Request<Incoming>,
    ) -> Result<Answer, Infallible> {
        let (parts, body) = request.into_parts();
        Ok(match parts.uri.path() {
            "/health" => control::looked_at(&parts, || control::health(&self)),
            "/metrics" => control::looked_at(&parts, || control::metrics(&self)),
            path if path.starts_with("/_tidemill/") => control::answer(&self, parts, body).await,
            _ if welcome::is_for(&parts) => welcome::page(&self, &parts),
            _ => journey::travel(&self, parts, body).await,
        })
    }
}

/// An answer of our own: no API's.
pub(crate) fn plain(status: StatusCode, kind: &'static str, body: impl Into<Bytes>) -> Answer {
    let mut answer = Response::new(Full::new(body.into()));
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    answer
}
