//! The minds as a play sees them: each second a look goes in, and orders come out.

use std::time::Duration;

use tidemill_base::{AccountId, Region, Timestamp};
use tidemill_metric::{Check, Comparison, Measure, MetricKey, Source, Standing};
use tidemill_scaling::aws::{AlarmRule, Fleet, Proposal, Side, Tracking, agree};
use tidemill_scaling::fast::{self, Instance, Observation, Phase, Policy, State};
use tidemill_scaling::{Limits, Messages, Workers};

use crate::{GOAL, MOST, SERVICE};

/// AWS's warm-up where nothing is said, in milliseconds.
const WARM_UP: u64 = 300_000;
/// How often an alarm that stays asks again for what it asked for, in milliseconds.
const AGAIN: u64 = 60_000;

/// What is seen in a second.
pub(crate) struct Look {
    pub(crate) millis: u64,
    pub(crate) arrived: u64,
    pub(crate) deleted: u64,
    pub(crate) waiting: u64,
    pub(crate) workers: Vec<One>,
}

/// A worker; times in milliseconds.
pub(crate) struct One {
    pub(crate) number: usize,
    pub(crate) launched: u64,
    pub(crate) ready: Option<u64>,
    pub(crate) draining: Option<u64>,
    pub(crate) holds: u64,
}

/// What is done then.
#[derive(Default)]
pub(crate) struct Orders {
    pub(crate) wanted: u32,
    pub(crate) launch: u32,
    pub(crate) drain: Vec<usize>,
    pub(crate) stop: Vec<usize>,
}

/// Which mind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Ours.
    Fast,
    /// AWS's target tracking, as its guide sets it up: metrics of a minute.
    Aws,
    /// The same with metrics of ten seconds.
    AwsTenSeconds,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Fast, Self::Aws, Self::AwsTenSeconds];

    /// What it is called.
    pub fn name(self) -> &'static str {
        match self {
            Self::Fast => "fast",
            Self::Aws => "aws",
            Self::AwsTenSeconds => "aws, 10 s",
        }
    }
}

/// A mind and what it remembers.
pub struct Mind(Inner);

enum Inner {
    Fast(Box<Fast>),
    Aws(Box<Aws>),
}

struct Fast {
    policy: Policy,
    state: State,
}

impl Mind {
    /// One that has seen nothing yet. The fast one is told neither how long a message takes nor how
    /// long a boot does.
    pub fn new(kind: Kind) -> Self {
        match kind {
            Kind::Fast => {
                let policy =
                    Policy { goal: Duration::from_secs_f64(GOAL), ..Policy::new(limits(0)) };
                Self(Inner::Fast(Box::new(Fast { state: State::new(&policy), policy })))
            }
            Kind::Aws => Self(Inner::Aws(Box::new(Aws::new(60)))),
            Kind::AwsTenSeconds => Self(Inner::Aws(Box::new(Aws::new(10)))),
        }
    }

    /// The fewest workers: AWS's guide never comes up from none, and so is never sent there.
    pub(crate) fn least(&self) -> u32 {
        match self.0 {
            Inner::Fast(_) => 0,
            Inner::Aws(_) => 1,
        }
    }

    pub(crate) fn look(&mut self, look: &Look) -> Orders {
        match &mut self.0 {
            Inner::Fast(fast) => {
                let now = Timestamp::from_millis(look.millis);
                let (decision, next) =
                    fast::decide(&fast.policy, fast.state.clone(), &observe(look), now);
                fast.state = next;
                Orders {
                    wanted: decision.wanted.count(),
                    launch: decision.launch.count(),
                    drain: decision.drain,
                    stop: decision.stop.into_iter().map(|stop| stop.id).collect(),
                }
            }
            Inner::Aws(aws) => aws.look(look),
        }
    }
}

fn limits(least: u32) -> Limits {
    Limits::new(Workers::new(least), Workers::new(MOST)).expect("the most are more")
}

fn observe(look: &Look) -> Observation<usize> {
    let instance = |one: &One| Instance {
        id: one.number,
        launched: Timestamp::from_millis(one.launched),
        phase: match (one.ready, one.draining) {
            (_, Some(since)) => Phase::Draining(Timestamp::from_millis(since)),
            (Some(ready), None) => Phase::InService(Timestamp::from_millis(ready)),
            (None, None) => Phase::Pending,
        },
        holds: Messages::new(one.holds),
        protected: false,
    };
    Observation {
        arrived: Messages::new(look.arrived),
        deleted: Messages::new(look.deleted),
        visible: Messages::new(look.waiting),
        in_flight: Messages::new(look.workers.iter().map(|one| one.holds).sum()),
        instances: look.workers.iter().map(instance).collect(),
    }
}

/// AWS's guide: backlog per instance by metric math, one policy of target tracking, its alarms.
///
/// A value is seen one period after it was gathered. Kinder than AWS is that nobody is stopped
/// with a message in its hands.
struct Aws {
    period: u64,
    tracking: Tracking,
    alarms: [(AlarmRule, Check, Option<u64>); 2],
    /// What was gathered in this period: seconds, messages that waited, instances.
    gathered: (u64, u64, u64),
    /// The values of all periods so far; none where there was no instance to divide by.
    values: Vec<Option<f64>>,
    desired: u32,
}

impl Aws {
    fn new(seconds: u64) -> Self {
        let target = GOAL / SERVICE;
        let alarm = |side| {
            let rule = AlarmRule::of(side, target, 0.9).every(Duration::from_secs(seconds));
            let check = check(&rule);
            (rule, check, None)
        };
        Self {
            period: seconds * 1000,
            tracking: Tracking { target, disable_scale_in: false },
            alarms: [alarm(Side::High), alarm(Side::Low)],
            gathered: (0, 0, 0),
            values: Vec::new(),
            desired: 1,
        }
    }

    fn look(&mut self, look: &Look) -> Orders {
        let stays = || look.workers.iter().filter(|one| one.draining.is_none());
        let present = stays().count() as u32;
        let in_service = stays().filter(|one| one.ready.is_some()).count() as u64;
        if self.values.is_empty() && self.gathered.0 == 0 {
            self.desired = present;
        }
        self.gathered.0 += 1;
        self.gathered.1 += look.waiting;
        self.gathered.2 += in_service;
        if look.millis.is_multiple_of(self.period) {
            let (_, waiting, instances) = std::mem::take(&mut self.gathered);
            self.values.push((instances > 0).then(|| waiting as f64 / instances as f64));
            self.evaluate(look);
        }
        let mut leaving: Vec<&One> = stays().collect();
        leaving.sort_by_key(|one| one.launched);
        leaving.truncate(present.saturating_sub(self.desired) as usize);
        let gone = |one: &&One| one.draining.is_some() && one.holds == 0;
        Orders {
            wanted: self.desired,
            launch: self.desired.saturating_sub(present),
            drain: leaving.iter().map(|one| one.number).collect(),
            stop: look.workers.iter().filter(gone).map(|one| one.number).collect(),
        }
    }

    fn evaluate(&mut self, look: &Look) {
        let fleet = self.fleet(look);
        // The newest value is still on its way.
        let Some((_, seen)) = self.values.split_last() else { return };
        for (rule, check, last_asked) in &mut self.alarms {
            let range = check.range() as usize;
            let newest = &seen[seen.len().saturating_sub(range)..];
            let absent = std::iter::repeat_n(None, range - newest.len());
            let periods: Vec<_> = absent
                .chain(newest.iter().map(|value| value.map(|value| rule.is_breached_by(value))))
                .collect();
            match check.judge(&periods) {
                Some(Standing::Alarming) => {}
                Some(Standing::Fine | Standing::Unknown) => {
                    *last_asked = None;
                    continue;
                }
                None => continue,
            }
            if last_asked.is_some_and(|asked| look.millis - asked < AGAIN) {
                continue;
            }
            *last_asked = Some(look.millis);
            let value = newest.iter().rev().find_map(|value| *value);
            let wish: Proposal = self.tracking.propose(rule.side, value, fleet);
            let desired = Workers::new(self.desired);
            self.desired = agree(desired, limits(1), &[wish]).count();
        }
    }

    fn fleet(&self, look: &Look) -> Fleet {
        let (mut ready, mut warming, mut terminating) = (0, 0, 0);
        for one in &look.workers {
            match (one.draining, one.ready) {
                (Some(_), _) => terminating += 1,
                // What a play begins with is warm.
                (None, Some(since)) if since == 0 || look.millis - since >= WARM_UP => ready += 1,
                (None, _) => warming += 1,
            }
        }
        let [ready, warming, terminating] = [ready, warming, terminating].map(Workers::new);
        Fleet { desired: Workers::new(self.desired), ready, warming, terminating }
    }
}

/// What an alarm holds its metric against, as the metrics' engine judges it.
fn check(rule: &AlarmRule) -> Check {
    let (account, region) = (AccountId::DEFAULT, Region::default());
    let metric = MetricKey::new(account, region, "demand", "backlog per instance", Vec::new());
    let (statistic, unit, period) = ("Average".into(), None, rule.period);
    let comparison = match rule.side {
        Side::High => Comparison::Above,
        Side::Low => Comparison::Below,
    };
    let source = Source::Metric(Measure { metric, statistic, unit, period });
    Check::new(source, rule.evaluations, comparison, rule.threshold)
}
