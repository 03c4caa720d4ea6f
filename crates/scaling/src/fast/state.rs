//! What was learnt so far: goes into each decision, and comes out of it.

use std::collections::VecDeque;
use std::time::Duration;

use tidemill_base::Timestamp;

use super::arrivals::Arrivals;
use super::observation::Observation;
use super::policy::Policy;
use super::service::{Service, between};
use crate::{Messages, Workers};

/// How much one launch changes what is thought of the next.
const BOOT_LEARNT: f64 = 0.25;

/// What is known of a queue and its workers. A few hundred bytes; a clone is another one's.
#[derive(Clone, Debug, PartialEq)]
pub struct State {
    /// What was seen last.
    last: Option<Look>,
    /// When there was first a look.
    pub(super) since: Option<Timestamp>,
    /// When a message was last about.
    pub(super) active: Option<Timestamp>,
    pub(super) arrivals: Arrivals,
    pub(super) service: Service,
    /// Seconds that a launch takes, if one was seen.
    boot: Option<f64>,
    /// How long the oldest launch under way has taken so far.
    under_way: Duration,
    /// What the load needed of late, largest first: an older look that needed no more than a newer
    /// one is forgotten.
    needs: VecDeque<(Timestamp, f64)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Look {
    at: Timestamp,
    arrived: Messages,
    deleted: Messages,
    busy: Workers,
    /// Whether each worker had a message and the next one waiting.
    is_full: bool,
}

impl State {
    /// Nothing is known but what the policy guesses.
    pub fn new(policy: &Policy) -> Self {
        Self {
            last: None,
            since: None,
            active: None,
            arrivals: Arrivals::default(),
            service: Service::guessed(policy.guess.service),
            boot: None,
            under_way: Duration::ZERO,
            needs: VecDeque::new(),
        }
    }

    /// How long a launch takes, as far as is known. Before one has ended, that it has not says as
    /// much as a guess; afterwards one that is stuck says nothing of the others.
    pub(super) fn boot(&self, policy: &Policy) -> Duration {
        let unseen = policy.guess.boot.max(self.under_way);
        self.boot.map_or(unseen, Duration::from_secs_f64)
    }

    /// Takes in what is seen. Looks of one moment count once; a counter that begins anew says
    /// nothing.
    pub(super) fn learn<Id>(&mut self, seen: &Observation<Id>, now: Timestamp) {
        let busy = seen.busy();
        let is_full = seen.visible.as_f64() >= busy.as_f64() && busy > Workers::NONE;
        let look = Look { at: now, arrived: seen.arrived, deleted: seen.deleted, busy, is_full };
        if self.last.is_some_and(|last| now < last.at) {
            // The clock was set back: what is to come cannot be told from what was before.
            self.last = Some(look);
            self.since = Some(now);
            self.active = self.active.map(|at| at.min(now));
            self.forget_needs();
            return;
        }
        let mut came = seen.arrived > Messages::NONE && self.last.is_none();
        if let Some(last) = self.last {
            let within = now.since(last.at);
            if within.is_zero() {
                return;
            }
            let (arrived, deleted) = (seen.arrived - last.arrived, seen.deleted - last.deleted);
            came = arrived > Messages::NONE;
            self.arrivals.learn(arrived, within);
            let always = last.is_full && is_full;
            self.service.learn(deleted, between(last.busy, busy), within, always);
            for boot in seen.boots(last.at) {
                let boot = boot.as_secs_f64();
                let known = self.boot.unwrap_or(boot);
                self.boot = Some(known + (boot - known) * BOOT_LEARNT);
            }
        }
        self.under_way = seen.longest_launch(now);
        if came || seen.visible > Messages::NONE || seen.in_flight > Messages::NONE {
            self.active = Some(now);
        }
        self.since.get_or_insert(now);
        self.last = Some(look);
    }

    /// Remembers what the load needs, and says what it needed at most within `span`.
    pub(super) fn most_needed(&mut self, need: f64, now: Timestamp, span: Duration) -> f64 {
        while self.needs.back().is_some_and(|(_, older)| *older <= need) {
            self.needs.pop_back();
        }
        self.needs.push_back((now, need));
        while self.needs.front().is_some_and(|(at, _)| now.since(*at) > span) {
            self.needs.pop_front();
        }
        self.needs.front().map_or(need, |(_, most)| *most)
    }

    /// What was needed until now says nothing any more.
    pub(super) fn forget_needs(&mut self) {
        self.needs.clear();
    }
}
