//! Keeps instances as they are to be: looks at each, decides, acts, and writes down what changed.

mod decide;

use std::collections::{HashMap, HashSet};
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use tidemill_journal::CommitError;
use tidemill_journal::cbor::Written as _;
use tracing::{info, warn};

use self::decide::{Act, Known, decide, failed, stop};
use crate::driver::{Sight, Stop, is_shortage};
use crate::engine::Inner;
use crate::id::InstanceId;
use crate::instance::{Instance, Phase, Reason};
use crate::kind::{Kind, USUAL};
use crate::process::{Plan, Status};
use crate::record::{Event, Moved};
use crate::state::State;

/// How often to look while an instance is on its way to another state.
pub(crate) const SOON: Duration = Duration::from_millis(50);
/// How often to look otherwise.
const LATER: Duration = Duration::from_secs(1);
/// How long to wait, where all is to end, for what cannot be seen or does not go.
pub(crate) const BLIND: Duration = Duration::from_mins(1);
/// How long to wait before starting again what did not stay.
const PAUSE: Duration = Duration::from_secs(2);

/// The keeper's own memory: what need not survive it.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    /// When each instance was started last, as the clock counts.
    started: HashMap<InstanceId, Duration>,
    /// What each instance was asked to stop for.
    asked: HashMap<InstanceId, Asked>,
    /// Those that could not be looked at last.
    unseen: HashSet<InstanceId>,
}

/// That an instance was asked to stop.
#[derive(Debug)]
struct Asked {
    /// For what: another stop is another matter.
    stop: (Phase, u32, bool),
    /// When first, as the clock counts.
    at: Duration,
    /// Whether it was forced to by now.
    forced: bool,
}

impl Memory {
    /// How long ago an instance was first asked to stop for this, if it was.
    fn asked(&self, id: InstanceId, known: Known, now: Duration) -> Option<Duration> {
        let asked = self.asked.get(&id).filter(|asked| asked.stop == known.stop());
        asked.map(|asked| now.saturating_sub(asked.at))
    }

    /// Keeps in mind that an instance is told to stop now. Says whether it is forced to for the
    /// first time.
    fn asks(&mut self, id: InstanceId, known: Known, how: Stop, now: Duration) -> bool {
        let stop = known.stop();
        let asked = self.asked.entry(id).or_insert(Asked { stop, at: now, forced: false });
        if asked.stop != stop {
            *asked = Asked { stop, at: now, forced: false };
        }
        how == Stop::Forced && !std::mem::replace(&mut asked.forced, how == Stop::Forced)
    }
}

/// One instance, as the keeper looks at it.
struct Look {
    id: InstanceId,
    known: Known,
}

/// What is to be written down: of which instance, if it still is so, and what.
type Change = (InstanceId, Known, Act);

/// Does what blocks where it may; None if nobody waits for it any more, since all ends. A panic
/// goes on here.
pub(crate) async fn blocking<T: Send + 'static>(
    what: impl FnOnce() -> T + Send + 'static,
) -> Option<T> {
    match tokio::task::spawn_blocking(what).await {
        Ok(done) => Some(done),
        Err(failure) => match failure.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => None,
        },
    }
}

impl Inner {
    /// Keeps instances; never returns.
    pub(crate) async fn keep(self: Arc<Self>) {
        let mut memory = Memory::default();
        loop {
            let passing = self.pass(&mut memory).await;
            let pause = if passing { SOON } else { LATER };
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = self.changed.notified() => {}
            }
        }
    }

    /// Looks at every instance once. Says whether any is on its way.
    pub(crate) async fn pass(self: &Arc<Self>, memory: &mut Memory) -> bool {
        let now = self.clock.now();
        let looks: Vec<Look> = self.ledger.read(|state| {
            let look = |instance: &Instance| {
                let Instance { id, phase, boot, abrupt, since, .. } = *instance;
                let lasted = now.since(since);
                Look { id, known: Known { phase, boot, abrupt, lasted, asked: None } }
            };
            state.instances().map(look).collect()
        });
        let (inner, mut taken) = (Arc::clone(self), std::mem::take(memory));
        let seen = blocking(move || {
            let changes = inner.look_at_all(&looks, &mut taken);
            (changes, taken)
        });
        let Some((changes, back)) = seen.await else { return false };
        *memory = back;
        let mut passing =
            self.ledger.read(|state| state.instances().any(|instance| instance.phase.is_passing()));
        for change in changes {
            passing |= !matches!(change.2, Act::Forget);
            self.write_down(change).await;
        }
        passing
    }

    /// Looks at instances and acts; gives what is to be written down.
    fn look_at_all(&self, looks: &[Look], memory: &mut Memory) -> Vec<Change> {
        let _looking = self.looking.lock().unwrap_or_else(PoisonError::into_inner);
        let mut statuses = HashMap::new();
        let mut changes = Vec::new();
        for Look { id, known } in looks {
            if self.closing.load(Ordering::Acquire) {
                return Vec::new();
            }
            let sight = self.driver.look(*id);
            if sight != Sight::Unseen {
                memory.unseen.remove(id);
            } else if memory.unseen.insert(*id) {
                warn!(instance = %id, "an instance cannot be looked at: it is left alone");
            }
            let known =
                Known { asked: memory.asked(*id, *known, self.clock.monotonic()), ..*known };
            let act = self.act(*id, known, decide(known, &sight), memory);
            if let Sight::Up(status) | Sight::Stopping(status) | Sight::Gone(Some(status)) = sight {
                statuses.insert(*id, status);
            }
            if act != Act::Nothing {
                changes.push((*id, known, act));
            }
        }
        let known: HashSet<InstanceId> = looks.iter().map(|look| look.id).collect();
        memory.started.retain(|id, _| known.contains(id));
        memory.unseen.retain(|id| known.contains(id));
        self.clear_strays(&known, memory);
        *self.statuses.lock().unwrap_or_else(PoisonError::into_inner) = statuses;
        changes
    }

    /// Does what needs no writing down; gives back what does.
    fn act(&self, id: InstanceId, known: Known, act: Act, memory: &mut Memory) -> Act {
        match act {
            Act::Start => {
                let now = self.clock.monotonic();
                let early = |last: &Duration| now.saturating_sub(*last) < PAUSE;
                if memory.started.get(&id).is_some_and(early) {
                    return Act::Nothing;
                }
                memory.started.insert(id, now);
                let instance = self.ledger.read(|state| state.instance(id).cloned());
                let Some(instance) = instance else { return Act::Nothing };
                match self.driver.start(id, &self.plan(&instance)) {
                    Ok(()) => Act::Nothing,
                    Err(error) => {
                        warn!(instance = %id, %error, "an instance was not started");
                        if is_shortage(&error) || !self.is_swept(id) {
                            return Act::Nothing;
                        }
                        failed(known.boot, format!("it could not be started: {error}"))
                    }
                }
            }
            Act::Stop(how) => {
                self.tell(id, known, how, memory);
                Act::Nothing
            }
            // Whoever should have ended all of it may be gone itself.
            Act::Move(Phase::Stopped | Phase::Terminated, ..) | Act::Forget
                if !self.is_swept(id) =>
            {
                Act::Nothing
            }
            Act::Forget => match self.driver.remove(id) {
                Ok(()) => Act::Forget,
                Err(error) => {
                    warn!(instance = %id, %error, "an instance's folder was not removed");
                    Act::Nothing
                }
            },
            Act::Nothing | Act::Move(..) => act,
        }
    }

    /// Tells what an instance runs to stop.
    fn tell(&self, id: InstanceId, known: Known, how: Stop, memory: &mut Memory) {
        if memory.asks(id, known, how, self.clock.monotonic()) {
            warn!(instance = %id, "an instance does not stop: it is killed");
        }
        if let Err(error) = self.driver.stop(id, how) {
            warn!(instance = %id, %error, "an instance was not told to stop");
        }
    }

    /// Whether nothing is left of an instance whose shim is gone. What is, is killed.
    fn is_swept(&self, id: InstanceId) -> bool {
        match self.driver.sweep(id) {
            Ok(left) => !left,
            Err(error) => {
                // It is looked for again at once, and what is short is told elsewhere.
                if !is_shortage(&error) {
                    warn!(instance = %id, %error, "what an instance left was not looked for");
                }
                false
            }
        }
    }

    /// Stops and removes what runs for instances that nobody knows: they were forgotten with all
    /// else.
    fn clear_strays(&self, known: &HashSet<InstanceId>, memory: &mut Memory) {
        // Where nobody can look, the next look finds them.
        let Ok(all) = self.driver.all() else { return };
        memory.asked.retain(|id, _| all.contains(id));
        for id in all {
            // One that was launched meanwhile is known by now.
            if known.contains(&id) || self.ledger.read(|state| state.instance(id).is_some()) {
                continue;
            }
            let sight = self.driver.look(id);
            let stray = Known::stray();
            let stray = Known { asked: memory.asked(id, stray, self.clock.monotonic()), ..stray };
            if let Some(how) = stop(stray, &sight) {
                self.tell(id, stray, how, memory);
            } else if matches!(sight, Sight::Gone(_))
                && self.is_swept(id)
                && let Err(error) = self.driver.remove(id)
            {
                warn!(instance = %id, %error, "an instance that nobody knows was not removed");
            }
        }
    }

    fn plan(&self, instance: &Instance) -> Plan {
        let kind = instance.recipe.kind.as_deref().and_then(Kind::find);
        let kind = kind.or_else(|| Kind::find(USUAL)).expect("the usual type is there");
        Plan {
            id: instance.id.to_string(),
            boot: instance.boot,
            user_data: instance.recipe.user_data.clone().unwrap_or_default(),
            environment: (self.environment)(instance),
            memory: kind.memory.as_u64(),
            processes: kind.processes(),
            user: None,
            allow_root: false,
            mark: instance.mark.clone(),
        }
    }

    async fn write_down(&self, (id, before, act): Change) {
        let at = self.clock.now();
        let decide = |state: &State| {
            // Somebody may have asked for something else meanwhile.
            let same = state
                .instance(id)
                .is_some_and(|now| (now.phase, now.boot) == (before.phase, before.boot));
            let event = match act {
                Act::Move(phase, boot, reason) if same => {
                    let kept = state.instance(id).and_then(|now| now.reason.clone());
                    let reason = reason.or(kept);
                    if let Some(Reason::Failed(why)) = &reason {
                        warn!(instance = %id, why, "an instance could not be run");
                    }
                    info!(instance = %id, ?phase, boot, "an instance moved on");
                    let abrupt = false;
                    Event::Moved(Moved { instance: id, phase, boot, at, reason, abrupt })
                }
                Act::Forget if same => Event::Forgotten(id),
                _ => return Ok::<_, std::convert::Infallible>(Vec::new()),
            };
            Ok(vec![event.record()])
        };
        match self.ledger.commit(decide).await {
            Ok(()) => {}
            Err(CommitError::Refused(never)) => match never {},
            Err(error) => warn!(instance = %id, %error, "what became of it was not written down"),
        }
    }

    /// Asks all that runs to stop, and waits until it has.
    pub(crate) async fn stop_all(self: &Arc<Self>) {
        self.closing.store(true, Ordering::Release);
        let mut began = None;
        loop {
            let inner = Arc::clone(self);
            let now = self.clock.monotonic();
            // None of them was asked before the first round.
            let asked = began.map(|began| now.saturating_sub(began));
            began.get_or_insert(now);
            match blocking(move || inner.stop_each(asked)).await {
                Some(0) | None => return,
                Some(left) => {
                    info!(left, "waiting for instances to stop");
                    tokio::time::sleep(SOON * 4).await;
                }
            }
        }
    }

    /// Asks each that runs to stop, where they were first asked so long ago. Says how many are left
    /// to be waited for.
    fn stop_each(&self, asked: Option<Duration>) -> usize {
        // What was being started when all was to end has been by now.
        let _looking = self.looking.lock().unwrap_or_else(PoisonError::into_inner);
        let is_hidden = asked.is_some_and(|asked| asked > BLIND);
        let all = match self.driver.all() {
            Ok(all) => all,
            Err(error) if is_hidden => {
                warn!(%error, "nobody can tell whether all instances ended");
                return 0;
            }
            Err(_) => return 1,
        };
        let mut left = 0;
        for id in all {
            let sight = self.driver.look(id);
            match sight {
                Sight::Gone(_) if self.is_swept(id) => continue,
                Sight::Gone(_) | Sight::Unseen if is_hidden => {
                    warn!(instance = %id, "nobody can tell that all of an instance ended");
                    continue;
                }
                _ => {}
            }
            left += 1;
            let known = Known { asked, ..Known::closing() };
            if let Some(how) = stop(known, &sight)
                && let Err(error) = self.driver.stop(id, how)
            {
                warn!(instance = %id, %error, "an instance was not told to stop");
            }
        }
        left
    }

    /// How an instance was seen last.
    pub(crate) fn status(&self, id: InstanceId) -> Option<Status> {
        let statuses = self.statuses.lock().unwrap_or_else(PoisonError::into_inner);
        statuses.get(&id).cloned()
    }
}
