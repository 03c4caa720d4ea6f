//! The service as one value: what every request needs, and which paths are whose.

use std::sync::{Arc, OnceLock};

use tidemill_base::{Chance, Clock};
use tidemill_fleet::Fleet;
use tidemill_http::{Answer, Budget, Door, Handler, Limits, Request};
use tidemill_identity::IdentityStore;
use tidemill_queue::Engine;
use tidemill_scaling::group::Groups;
use tidemill_services::{AutoScaling, CloudWatch, Ec2, Sns, Sqs};
use tidemill_sign::KeyCache;

use crate::crowd::Crowd;
use crate::failure::Logs;
use crate::faults::Disks;
use crate::metadata::Metadata;
use crate::metrics::Metrics;
use crate::minutes::Minutes;
use crate::settings::Settings;
use crate::{control, journey, welcome};

/// What every request needs.
pub(crate) struct App {
    pub(crate) settings: Settings,
    pub(crate) clock: Clock,
    pub(crate) chance: Chance,
    pub(crate) engine: Engine,
    pub(crate) sqs: Sqs,
    pub(crate) measured: tidemill_metric::Metrics,
    pub(crate) cloudwatch: CloudWatch,
    pub(crate) minutes: Minutes,
    /// None where instances are turned off.
    pub(crate) fleet: Option<Fleet>,
    pub(crate) ec2: Ec2,
    pub(crate) groups: Groups,
    pub(crate) autoscaling: AutoScaling,
    pub(crate) sns: Sns,
    pub(crate) metadata: Arc<Metadata>,
    /// Where instances find the service, once that is known.
    pub(crate) endpoint: Arc<OnceLock<String>>,
    pub(crate) identity: Arc<IdentityStore>,
    pub(crate) keys: KeyCache,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) crowd: Crowd,
    pub(crate) budget: Budget,
    /// What goes wrong with the disk, where tests may say so.
    pub(crate) disks: Option<Disks>,
    /// All that has a log, where they are looked at together.
    pub(crate) logs: Logs,
}

/// How many derived signing keys are kept: one a key, day, region and service.
const SIGNING_KEYS: usize = 1024;

impl App {
    pub(crate) fn new(
        settings: Settings,
        clock: Clock,
        chance: Chance,
        logs: Logs,
        metadata: Arc<Metadata>,
        endpoint: Arc<OnceLock<String>>,
    ) -> Self {
        let Logs { engine, measured, fleet, groups, topics, identity } = logs.clone();
        let instances = settings.instances.as_ref().map(|instances| instances.most);
        let crowd = Crowd::new(settings.max_connections, instances);
        let budget = Budget::new(settings.request_memory);
        let mut metrics = Metrics::new(logs.clone(), clock.clone());
        metrics.watch(&crowd, &budget);
        let sns = Sns::new(topics, engine.clone(), Arc::clone(&endpoint));
        metrics.watch_topics(sns.told());
        let metrics = Arc::new(metrics);
        let sqs = Sqs::new(engine.clone());
        let ec2 = Ec2::new(fleet.clone(), engine.clone());
        let mode = settings.scaling_mode;
        let (there, counts) = (fleet.clone(), measured.clone());
        let autoscaling = AutoScaling::new(groups.clone(), there, engine.clone(), counts, mode)
            .telling(sns.clone());
        let cloudwatch = CloudWatch::new(measured.clone(), engine.clone());
        let cloudwatch = cloudwatch.acting_on(autoscaling.clone()).telling(sns.clone());
        let minutes = Minutes::new(&clock, engine.clone(), measured.clone(), cloudwatch.clone())
            .with_groups(autoscaling.clone());
        let keys = KeyCache::new(SIGNING_KEYS);
        let disks = None;
        Self {
            settings,
            clock,
            chance,
            engine,
            sqs,
            measured,
            cloudwatch,
            minutes,
            fleet,
            ec2,
            groups,
            autoscaling,
            sns,
            metadata,
            endpoint,
            identity,
            keys,
            metrics,
            crowd,
            budget,
            disks,
            logs,
        }
    }

    /// The service as connections come to it.
    pub(crate) fn door(self) -> Door<Self> {
        let Self { settings, budget, clock, .. } = &self;
        let limits = Limits {
            head: settings.max_headers,
            body: settings.max_body,
            head_timeout: settings.header_timeout,
            body_timeout: settings.body_timeout,
            write_timeout: settings.write_timeout,
        };
        let (budget, clock) = (budget.clone(), clock.clone());
        Door { limits, budget, clock, handler: self }
    }
}

impl Handler for App {
    /// Answers one request, whatever it is.
    async fn answer(&self, request: Request<'_>) -> Answer {
        match request.path {
            "/health" => control::looked_at(&request, || control::health(self)),
            "/metrics" => control::looked_at(&request, || control::metrics(self)),
            path if path.starts_with("/_tidemill/") => control::answer(self, &request).await,
            _ if welcome::is_for(&request) => welcome::page(self, &request),
            _ => journey::travel(self, &request).await,
        }
    }
}
