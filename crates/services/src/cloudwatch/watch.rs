//! Watching: how the alarms stand by what was measured.

use tidemill_base::Timestamp;
use tidemill_metric::{AlarmKey, Check, Reason, Source, Standing};

use super::measure::{self, Gathered};
use super::statistic::Statistic;
use super::{CloudWatch, reason};

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
        if self.may_change().is_err() {
            return;
        }
        let due: Vec<AlarmKey> = self.metrics.look(|state| {
            let alarms = state.alarms().all();
            let due = |check: &Check| at.as_secs().is_multiple_of(step(check));
            let due = alarms.filter(|(_, it)| it.settings.check().is_some_and(due));
            due.map(|(key, _)| key.clone()).collect()
        });
        let mut turned = Vec::new();
        for part in due.chunks(PART) {
            let alone = self.alone().await;
            let gathered: Vec<(&AlarmKey, Check, Standing, Gathered)> =
                self.metrics.look(|state| {
                    let gathered = |key| {
                        let alarm = state.alarms().find(key)?;
                        let check = alarm.settings.check()?;
                        let gathered = measure::gather(state, check, at);
                        Some((key, check.clone(), alarm.reason.standing, gathered))
                    };
                    part.iter().filter_map(gathered).collect()
                });
            let found: Vec<(AlarmKey, Reason)> = gathered
                .into_iter()
                .filter_map(|(key, check, standing, gathered)| {
                    let reason = judged(&check, &gathered, at)?;
                    (reason.standing != standing).then(|| (key.clone(), reason))
                })
                .collect();
            if !found.is_empty() {
                turned.extend(found.iter().map(|(key, _)| key.clone()));
                // A journal that accepts nothing more says so to whoever asks for anything.
                drop(self.metrics.judge(found, at).await);
            }
            drop(alone);
            tokio::task::yield_now().await;
        }
        let alone = self.alone().await;
        self.ripple(&alone, &turned, at).await;
        let minute = at.as_secs().is_multiple_of(MINUTE).then_some(at);
        if minute.is_some() {
            self.catch_up(&alone, at).await;
        }
        drop(alone);
        self.act(minute).await;
    }
}

/// Every how many seconds an alarm is looked at.
fn step(it: &Check) -> u64 {
    match it.period().as_secs() {
        ..MINUTE => 10,
        period if period * u64::from(it.periods) > DAY => HOUR,
        _ => MINUTE,
    }
}

/// How an alarm stands; `None` if it stays as it is.
fn judged(it: &Check, gathered: &Gathered, at: Timestamp) -> Option<Reason> {
    let points = measure::points(it, gathered, at);
    let (period, range) = (it.period(), it.range());
    let from = at - period * range;
    let mut periods = vec![None; range as usize];
    for point in &points {
        let index = point.start.since(from).as_secs() / period.as_secs();
        if let Some(period) = periods.get_mut(usize::try_from(index).ok()?) {
            *period = Some(it.is_breached_by(point.value));
        }
    }
    let told = points.len().saturating_sub(it.periods as usize);
    let points = &points[told..];
    if let (Some(percent), Some(false)) = (percentile(it), it.few_values_count)
        && points.iter().any(|it| it.samples.is_some_and(|samples| samples < enough(percent)))
    {
        return None;
    }
    let standing = it.judge(&periods)?;
    let text = reason::text(it, standing, points).into();
    let data = Some(reason::data(it, points, at).to_string().into());
    Some(Reason { standing, text, data })
}

/// The percentile that an alarm watches, if it does.
fn percentile(it: &Check) -> Option<f64> {
    let Source::Metric(measure) = &it.source else { return None };
    match Statistic::read(&measure.statistic) {
        Some(Statistic::Percentile(percent)) => Some(percent),
        _ => None,
    }
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
