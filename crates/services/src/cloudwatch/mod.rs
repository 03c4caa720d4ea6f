//! CloudWatch: one operation a file, and the list of them all.

mod action;
mod alarm;
mod alarm_queries;
mod alarm_rule;
mod composite;
mod delete_alarms;
mod describe_alarm_history;
mod describe_alarms;
mod expressions;
mod fault;
mod get_metric_data;
mod get_metric_statistics;
mod list_metrics;
mod measure;
mod names;
mod notification;
mod order;
mod put_composite_alarm;
mod put_metric_alarm;
mod put_metric_data;
mod query;
mod queue_minutes;
mod reason;
mod region;
mod set_alarm_state;
mod span;
mod statistic;
mod tags;
mod watch;

pub(crate) use measure::check_queries;
pub(crate) use names::check_metric;
pub use queue_minutes::QueueMinutes;
pub(crate) use statistic::is_statistic;

use std::sync::Arc;

use tidemill_api::cloudwatch::{Request, Response, TagResourceOutput, UntagResourceOutput};
use tidemill_metric::Metrics;
use tidemill_queue::Engine;
use tidemill_wire::Fault;
use tokio::sync::{Mutex, MutexGuard};

use crate::autoscaling::AutoScaling;
use crate::context::Context;
use crate::sns::Sns;

/// Says that nobody else judges or changes alarms.
type Alone<'a> = MutexGuard<'a, ()>;

/// The service over its engine.
#[derive(Clone)]
pub struct CloudWatch {
    metrics: Metrics,
    /// It looks after the disk for all: where it takes nothing in, neither do we.
    queues: Engine,
    /// Held by whoever judges, adds, tags or deletes alarms, from the look at how they are until
    /// what comes of it is durable: a look shows nothing else, and nobody may find in between what
    /// was true before.
    /// Alarms that scaling policies keep come and go beside it: they watch metrics alone, so that
    /// no circle can come of that.
    editing: Arc<Mutex<()>>,
    /// Held while actions are taken: each once.
    acting: Arc<Mutex<()>>,
    /// Whose policies alarms have decide.
    autoscaling: Option<AutoScaling>,
    /// Whose topics they tell.
    sns: Option<Sns>,
}

impl CloudWatch {
    /// The service that serves `metrics`, while the disk takes in what comes to `queues`.
    pub fn new(metrics: Metrics, queues: Engine) -> Self {
        let (editing, acting) = (Arc::default(), Arc::default());
        Self { metrics, queues, editing, acting, autoscaling: None, sns: None }
    }

    /// The same, whose alarms have the scaling policies of `autoscaling` decide.
    #[must_use]
    pub fn acting_on(self, autoscaling: AutoScaling) -> Self {
        Self { autoscaling: Some(autoscaling), ..self }
    }

    /// The same, whose alarms tell the topics of `sns`.
    #[must_use]
    pub fn telling(self, sns: Sns) -> Self {
        Self { sns: Some(sns), ..self }
    }

    /// Answers one request.
    pub async fn handle(&self, cx: &Context<'_>, request: Request) -> Result<Response, Fault> {
        use {Request as Q, Response as A};
        match request {
            Q::PutMetricData(it) => {
                put_metric_data::handle(self, cx, it).await.map(|()| A::PutMetricData)
            }
            Q::GetMetricData(it) => {
                get_metric_data::handle(self, cx, &it).await.map(A::GetMetricData)
            }
            Q::GetMetricStatistics(it) => {
                get_metric_statistics::handle(self, cx, it).map(A::GetMetricStatistics)
            }
            Q::ListMetrics(it) => list_metrics::handle(self, cx, &it).map(A::ListMetrics),
            Q::PutMetricAlarm(it) => {
                put_metric_alarm::handle(self, cx, it).await.map(|()| A::PutMetricAlarm)
            }
            Q::PutCompositeAlarm(it) => {
                put_composite_alarm::handle(self, cx, it).await.map(|()| A::PutCompositeAlarm)
            }
            Q::DescribeAlarms(it) => describe_alarms::handle(self, cx, &it).map(A::DescribeAlarms),
            Q::DescribeAlarmsForMetric(it) => {
                Ok(A::DescribeAlarmsForMetric(describe_alarms::for_metric(self, cx, &it)))
            }
            Q::DescribeAlarmHistory(it) => {
                describe_alarm_history::handle(self, cx, &it).map(A::DescribeAlarmHistory)
            }
            Q::SetAlarmState(it) => {
                set_alarm_state::set(self, cx, it).await.map(|()| A::SetAlarmState)
            }
            Q::DeleteAlarms(it) => {
                delete_alarms::handle(self, cx, &it.alarm_names).await.map(|()| A::DeleteAlarms)
            }
            Q::EnableAlarmActions(it) => {
                let names = &it.alarm_names;
                let done = set_alarm_state::enable(self, cx, names, true).await;
                done.map(|()| A::EnableAlarmActions)
            }
            Q::DisableAlarmActions(it) => {
                let names = &it.alarm_names;
                let done = set_alarm_state::enable(self, cx, names, false).await;
                done.map(|()| A::DisableAlarmActions)
            }
            Q::TagResource(it) => {
                let done = tags::add(self, cx, it).await;
                done.map(|()| A::TagResource(TagResourceOutput::default()))
            }
            Q::UntagResource(it) => {
                let done = tags::remove(self, cx, it).await;
                done.map(|()| A::UntagResource(UntagResourceOutput::default()))
            }
            Q::ListTagsForResource(it) => tags::list(self, cx, &it).map(A::ListTagsForResource),
        }
    }

    /// Waits until nobody else judges or changes alarms.
    async fn alone(&self) -> Alone<'_> {
        self.editing.lock().await
    }

    /// Has a change of alarms made to its end, and the actions taken that come of it, though the
    /// caller hangs up: what he leaves half done would be found by others.
    async fn to_the_end<T, F>(&self, change: impl FnOnce(Self) -> F) -> Result<T, Fault>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, Fault>> + Send + 'static,
    {
        match tokio::spawn(change(self.clone())).await {
            Ok(done) => done,
            Err(ended) => match ended.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                // The service stops.
                Err(_) => Err(fault::failed()),
            },
        }
    }

    /// Refuses a change that the disk may not keep.
    fn may_change(&self) -> Result<(), Fault> {
        let hangs = || {
            let (effort, lasts) = self.metrics.under_way()?;
            self.queues.hangs(effort, lasts)
        };
        let failure = self.queues.failure().or_else(hangs);
        failure.map_or(Ok(()), |failure| Err(fault::of_disk(&failure)))
    }
}
