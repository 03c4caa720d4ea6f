//! CloudWatch: one operation a file, and the list of them all.

mod fault;
mod get_metric_data;
mod get_metric_statistics;
mod list_metrics;
mod names;
mod put_metric_data;
mod queue_minutes;
mod span;
mod statistic;

pub use queue_minutes::QueueMinutes;

use tidemill_api::cloudwatch::{Request, Response};
use tidemill_metric::Metrics;
use tidemill_queue::Engine;
use tidemill_wire::Fault;

use crate::context::Context;

/// The service over its engine.
#[derive(Clone)]
pub struct CloudWatch {
    metrics: Metrics,
    /// It looks after the disk for all: where it takes nothing in, neither do we.
    queues: Engine,
}

impl CloudWatch {
    /// The service that serves `metrics`, while the disk takes in what comes to `queues`.
    pub fn new(metrics: Metrics, queues: Engine) -> Self {
        Self { metrics, queues }
    }

    /// Answers one request.
    pub async fn handle(&self, cx: &Context<'_>, request: Request) -> Result<Response, Fault> {
        use {Request as Q, Response as A};
        match request {
            Q::PutMetricData(it) => {
                put_metric_data::handle(self, cx, it).await.map(|()| A::PutMetricData)
            }
            Q::GetMetricData(it) => get_metric_data::handle(self, cx, &it).map(A::GetMetricData),
            Q::GetMetricStatistics(it) => {
                get_metric_statistics::handle(self, cx, it).map(A::GetMetricStatistics)
            }
            Q::ListMetrics(it) => list_metrics::handle(self, cx, &it).map(A::ListMetrics),
        }
    }

    /// Refuses a change that the disk may not keep.
    fn may_change(&self) -> Result<(), Fault> {
        self.queues.failure().map_or(Ok(()), |failure| Err(fault::of_disk(&failure)))
    }
}
