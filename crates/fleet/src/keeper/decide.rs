//! What to do about an instance: what is wanted of it, how it is seen, and what follows.

use std::time::Duration;

use crate::driver::{Sight, Stop};
use crate::instance::{Phase, Reason};

/// What is known of an instance.
#[derive(Clone, Copy, Debug)]
pub(super) struct Known {
    pub(super) phase: Phase,
    pub(super) boot: u32,
    /// Whether it is to end without being asked.
    pub(super) abrupt: bool,
    /// How long it has been so.
    pub(super) lasted: Duration,
    /// How long ago it was first asked to stop for this.
    pub(super) asked: Option<Duration>,
}

impl Known {
    /// Of an instance that nobody knows: it is to end without being asked.
    pub(super) const fn stray() -> Self {
        Self { abrupt: true, ..Self::closing() }
    }

    /// Of an instance whose service ends, and takes it along.
    pub(super) const fn closing() -> Self {
        let (phase, lasted) = (Phase::ShuttingDown, Duration::ZERO);
        Self { phase, boot: 0, abrupt: false, lasted, asked: None }
    }

    /// What it is asked to stop for, if it is.
    pub(super) const fn stop(self) -> (Phase, u32, bool) {
        (self.phase, self.boot, self.abrupt)
    }
}

/// What to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Act {
    /// It is as it should be, or on its way.
    Nothing,
    /// Start what it runs.
    Start,
    /// Stop that.
    Stop(Stop),
    /// Write down that it is so, in this start of it, and why.
    Move(Phase, u32, Option<Reason>),
    /// Forget it.
    Forget,
}

/// How long a terminated instance is remembered.
const REMEMBERED: Duration = Duration::from_hours(1);
/// How much longer than it said it would take a stop may take.
const LENIENCE: Duration = Duration::from_secs(15);
/// How long a stop may take, in seconds, where nobody has said yet how long it would.
const UNTOLD: u64 = 60;

/// Decides what to do about an instance that is seen like this.
pub(super) fn decide(known: Known, sight: &Sight) -> Act {
    match known.phase {
        Phase::Pending | Phase::Running => wanted(known, sight),
        Phase::Stopping => unwanted(known, sight, Phase::Stopped),
        Phase::ShuttingDown => unwanted(known, sight, Phase::Terminated),
        // Nothing should run; if something does, somebody else started it.
        Phase::Stopped => stop(known, sight).map_or(Act::Nothing, Act::Stop),
        Phase::Terminated => match stop(known, sight) {
            Some(how) => Act::Stop(how),
            None if known.lasted >= REMEMBERED && matches!(sight, Sight::Gone(_)) => Act::Forget,
            None => Act::Nothing,
        },
    }
}

/// It is to run.
fn wanted(known: Known, sight: &Sight) -> Act {
    let Known { phase, boot, .. } = known;
    match sight {
        Sight::Up(status) if status.boot == boot && phase == Phase::Pending => {
            Act::Move(Phase::Running, boot, None)
        }
        Sight::Up(status) if status.boot == boot => Act::Nothing,
        Sight::Starting | Sight::Unseen => Act::Nothing,
        // It is to be started anew.
        Sight::Up(_) | Sight::Stopping(_) => stop(known, sight).map_or(Act::Nothing, Act::Stop),
        Sight::Gone(Some(status)) if status.boot == boot => match &status.failure {
            Some(why) => failed(boot, why.clone()),
            // Its shim ended, with the machine or by itself: another start of it.
            None => Act::Move(phase, boot.saturating_add(1), None),
        },
        Sight::Gone(_) => Act::Start,
    }
}

/// An instance that cannot be started ends: the first time for good.
pub(super) fn failed(boot: u32, why: String) -> Act {
    let phase = if boot > 1 { Phase::Stopped } else { Phase::Terminated };
    Act::Move(phase, boot, Some(Reason::Failed(why)))
}

/// It is not to run.
fn unwanted(known: Known, sight: &Sight, then: Phase) -> Act {
    match (sight, stop(known, sight)) {
        (Sight::Gone(_), _) => Act::Move(then, known.boot, None),
        (_, how) => how.map_or(Act::Nothing, Act::Stop),
    }
}

/// How to stop what is seen like this, if anything is to be done now. Who takes far longer than it
/// may does not do as it was told, whatever it does instead.
pub(super) fn stop(known: Known, sight: &Sight) -> Option<Stop> {
    let patience = match sight {
        Sight::Gone(_) | Sight::Unseen => return None,
        // Whom nobody asks has nothing to wait for.
        _ if known.abrupt => 0,
        Sight::Starting => UNTOLD,
        Sight::Up(status) | Sight::Stopping(status) => status.patience,
    };
    let overdue = Duration::from_secs(patience).saturating_add(LENIENCE);
    match (known.asked, sight) {
        (Some(asked), _) if asked > overdue => Some(Stop::Forced),
        _ if known.abrupt => Some(Stop::Abrupt),
        // It was asked, and has begun.
        (Some(_), Sight::Stopping(_)) => None,
        // Who just begins may not have heard it.
        _ => Some(Stop::Ask),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::Status;

    fn known(phase: Phase) -> Known {
        Known { phase, boot: 2, abrupt: false, lasted: Duration::ZERO, asked: None }
    }

    fn status(boot: u32) -> Status {
        Status { boot, up: true, patience: 60, ..Status::default() }
    }

    #[test]
    fn what_is_to_run_is_started_and_then_counts_as_running() {
        let pending = known(Phase::Pending);
        assert_eq!(decide(pending, &Sight::Gone(None)), Act::Start);
        assert_eq!(decide(pending, &Sight::Gone(Some(status(1)))), Act::Start);
        assert_eq!(decide(pending, &Sight::Starting), Act::Nothing);
        let up = Sight::Up(status(2));
        assert_eq!(decide(pending, &up), Act::Move(Phase::Running, 2, None));
        assert_eq!(decide(known(Phase::Running), &up), Act::Nothing);
    }

    #[test]
    fn an_instance_whose_machine_went_down_is_started_again() {
        let gone = Sight::Gone(Some(status(2)));
        assert_eq!(decide(known(Phase::Running), &gone), Act::Move(Phase::Running, 3, None));
        assert_eq!(decide(known(Phase::Running), &Sight::Gone(Some(status(1)))), Act::Start);
    }

    #[test]
    fn an_instance_that_cannot_be_started_ends() {
        let failure = Some("no".to_owned());
        let reason = Some(Reason::Failed("no".to_owned()));
        for (boot, phase) in [(1, Phase::Terminated), (2, Phase::Stopped)] {
            let sight = Sight::Gone(Some(Status { failure: failure.clone(), ..status(boot) }));
            let known = Known { boot, ..known(Phase::Pending) };
            assert_eq!(decide(known, &sight), Act::Move(phase, boot, reason.clone()));
        }
    }

    /// So that it was asked to stop so many seconds ago.
    fn asked(known: Known, seconds: u64) -> Known {
        Known { asked: Some(Duration::from_secs(seconds)), ..known }
    }

    #[test]
    fn a_reboot_stops_the_start_before_and_then_starts_the_next() {
        let running = known(Phase::Running);
        let stopping = Sight::Stopping(Status { up: false, ..status(1) });
        assert_eq!(decide(running, &Sight::Up(status(1))), Act::Stop(Stop::Ask));
        assert_eq!(decide(asked(running, 1), &stopping), Act::Nothing);
        for sight in [Sight::Up(status(1)), stopping] {
            assert_eq!(decide(asked(running, 76), &sight), Act::Stop(Stop::Forced));
        }
    }

    #[test]
    fn what_is_not_to_run_is_asked_to_stop_and_forced_when_it_is_long_overdue() {
        let known = known(Phase::Stopping);
        let up = Sight::Up(status(2));
        let stopping = Sight::Stopping(Status { up: false, ..status(2) });
        assert_eq!(decide(known, &up), Act::Stop(Stop::Ask));
        assert_eq!(decide(asked(known, 1), &up), Act::Stop(Stop::Ask));
        assert_eq!(decide(asked(known, 1), &stopping), Act::Nothing);
        // However it is seen: it may be one that does not listen.
        for sight in [up, stopping, Sight::Starting] {
            assert_ne!(decide(asked(known, 75), &sight), Act::Stop(Stop::Forced));
            assert_eq!(decide(asked(known, 76), &sight), Act::Stop(Stop::Forced));
        }
        let gone = Sight::Gone(None);
        assert_eq!(decide(asked(known, 76), &gone), Act::Move(Phase::Stopped, 2, None));
        let ending = Known { phase: Phase::ShuttingDown, ..known };
        assert_eq!(decide(ending, &gone), Act::Move(Phase::Terminated, 2, None));
    }

    #[test]
    fn who_was_not_asked_yet_is_not_late_however_long_ago_the_stop_was_wished_for() {
        // The service was dead meanwhile.
        let stopping = Known { lasted: Duration::from_hours(5), ..known(Phase::Stopping) };
        assert_eq!(decide(stopping, &Sight::Up(status(2))), Act::Stop(Stop::Ask));
        let sight = Sight::Stopping(Status { up: false, ..status(2) });
        assert_eq!(decide(stopping, &sight), Act::Stop(Stop::Ask));
        assert_eq!(decide(asked(stopping, 1), &sight), Act::Nothing);
    }

    #[test]
    fn an_abrupt_stop_asks_nobody_and_waits_for_nobody_for_long() {
        let abrupt = Known { abrupt: true, ..known(Phase::ShuttingDown) };
        for sight in [Sight::Up(status(2)), Sight::Starting, Sight::Stopping(status(2))] {
            assert_eq!(decide(abrupt, &sight), Act::Stop(Stop::Abrupt));
            assert_eq!(decide(asked(abrupt, 15), &sight), Act::Stop(Stop::Abrupt));
            assert_eq!(decide(asked(abrupt, 16), &sight), Act::Stop(Stop::Forced));
        }
    }

    #[test]
    fn a_terminated_instance_is_remembered_for_an_hour() {
        let gone = Sight::Gone(None);
        let ended = known(Phase::Terminated);
        assert_eq!(decide(ended, &gone), Act::Nothing);
        assert_eq!(decide(Known { lasted: REMEMBERED, ..ended }, &gone), Act::Forget);
        assert_eq!(decide(ended, &Sight::Up(status(2))), Act::Stop(Stop::Ask));
    }
}
