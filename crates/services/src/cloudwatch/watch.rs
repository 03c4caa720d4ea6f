//! Watching: how the alarms stand by what was measured.

use tidemill_base::Timestamp;
use tidemill_metric::{AlarmKey, AlarmSettings, Reason, State};

use super::CloudWatch;
use super::reason::{self, Point};
use super::statistic::Statistic;

/// Alarms of a shorter period are looked at each ten seconds, the others each minute.
const MINUTE: u64 = 60;
/// Alarms that look back further than a day are looked at each hour.
const HOUR: u64 = 3600;
const DAY: u64 = 86_400;
/// So many alarms are looked at before others may come to what was measured.
const PART: usize = 64;

impl CloudWatch {
    /// Looks at the alarms whose turn it is at `at`, which is a multiple of ten seconds, and takes
    /// the actions that come of it. While the disk takes nothing in, the alarms stay as they are.
    pub async fn watch(&self, at: Timestamp) {
        if self.queues.failure().is_some() {
            return;
        }
        let due: Vec<AlarmKey> = self.metrics.look(|state| {
            let alarms = state.alarms().all();
            let due = alarms.filter(|(_, it)| at.as_secs().is_multiple_of(step(&it.settings)));
            due.map(|(key, _)| key.clone()).collect()
        });
        let now = self.metrics.now();
        for part in due.chunks(PART) {
            let found: Vec<(AlarmKey, Reason)> = self.metrics.look(|state| {
                let judged = |key: &AlarmKey| {
                    let alarm = state.alarms().find(key)?;
                    let reason = judged(state, &alarm.settings, at, now)?;
                    let turned = reason.standing != alarm.reason.standing;
                    turned.then(|| (key.clone(), reason))
                };
                part.iter().filter_map(judged).collect()
            });
            if !found.is_empty() {
                // A journal that accepts nothing more says so to whoever asks for anything.
                drop(self.metrics.judge(found, at).await);
            }
            tokio::task::yield_now().await;
        }
        self.act().await;
    }
}

/// Every how many seconds an alarm is looked at.
fn step(it: &AlarmSettings) -> u64 {
    match it.period.as_secs() {
        ..MINUTE => 10,
        period if period * u64::from(it.periods) > DAY => HOUR,
        _ => MINUTE,
    }
}

/// How an alarm stands; `None` if it stays as it is.
fn judged(state: &State, it: &AlarmSettings, at: Timestamp, now: Timestamp) -> Option<Reason> {
    let statistic = Statistic::read(&it.statistic)?;
    let from = at - it.period * it.range();
    let found = state.whole(&it.metric, it.unit, (from, at), it.period, now);
    let mut periods = vec![None; it.range() as usize];
    let mut points = Vec::new();
    for (start, summary) in found {
        let Some(value) = statistic.of(&summary) else { continue };
        let index = start.since(from).as_secs() / it.period.as_secs();
        if let Some(period) = periods.get_mut(usize::try_from(index).ok()?) {
            *period = Some(it.is_breached_by(value));
            points.push(Point { start, samples: summary.samples, value });
        }
    }
    let wanted = it.periods as usize;
    let points = points.split_off(points.len().saturating_sub(wanted));
    if let (Statistic::Percentile(percent), Some(false)) = (statistic, it.few_values_count)
        && points.iter().any(|point| point.samples < enough(percent))
    {
        return None;
    }
    let standing = it.judge(&periods)?;
    let text = reason::text(it, standing, &points).into();
    let data = Some(reason::data(it, &points, at).to_string().into());
    Some(Reason { standing, text, data })
}

/// So many samples make a percentile mean something: ten on its shorter side.
fn enough(percent: f64) -> f64 {
    1000.0 / percent.min(100.0 - percent)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_means_something_with_ten_samples_on_its_shorter_side() {
        for (percent, samples) in [(50.0, 20.0), (90.0, 100.0), (10.0, 100.0), (99.0, 1000.0)] {
            assert!((enough(percent) - samples).abs() < f64::EPSILON, "{percent}");
        }
    }
}
