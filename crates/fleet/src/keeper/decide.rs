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

/// Decides what to do about an instance that is seen like this.
pub(super) fn decide(known: Known, sight: &Sight) -> Act {
    match known.phase {
        Phase::Pending | Phase::Running => wanted(known, sight),
        Phase::Stopping => unwanted(known, sight, Phase::Stopped),
        Phase::ShuttingDown => unwanted(known, sight, Phase::Terminated),
        // Nothing should run; if something does, somebody else started it.
        Phase::Stopped => match sight {
            Sight::Gone(_) => Act::Nothing,
            _ => Act::Stop(Stop::Ask),
        },
        Phase::Terminated => match sight {
            Sight::Gone(_) if known.lasted >= REMEMBERED => Act::Forget,
            Sight::Gone(_) => Act::Nothing,
            _ => Act::Stop(Stop::Ask),
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
        // It is to be started anew.
        Sight::Up(_) => Act::Stop(if known.abrupt { Stop::Abrupt } else { Stop::Ask }),
        Sight::Starting => Act::Nothing,
        Sight::Stopping(status) => overdue(known, status.patience),
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
    match sight {
        Sight::Gone(_) => Act::Move(then, known.boot, None),
        Sight::Stopping(status)
            if known.abrupt && overdue(known, status.patience) == Act::Nothing =>
        {
            Act::Stop(Stop::Abrupt)
        }
        Sight::Up(_) | Sight::Starting => {
            Act::Stop(if known.abrupt { Stop::Abrupt } else { Stop::Ask })
        }
        Sight::Stopping(status) => overdue(known, status.patience),
    }
}

/// Who takes far longer to stop than it may does not do as it was told.
fn overdue(known: Known, patience: u64) -> Act {
    if is_overdue(known.lasted, patience) { Act::Stop(Stop::Forced) } else { Act::Nothing }
}

/// Whether a stop has lasted far longer than it may, by the seconds that it said it might.
pub(super) fn is_overdue(lasted: Duration, patience: u64) -> bool {
    lasted > Duration::from_secs(patience).saturating_add(LENIENCE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::Status;

    fn known(phase: Phase) -> Known {
        Known { phase, boot: 2, abrupt: false, lasted: Duration::ZERO }
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

    #[test]
    fn a_reboot_stops_the_start_before_and_then_starts_the_next() {
        let running = known(Phase::Running);
        assert_eq!(decide(running, &Sight::Up(status(1))), Act::Stop(Stop::Ask));
        assert_eq!(decide(running, &Sight::Stopping(status(1))), Act::Nothing);
    }

    #[test]
    fn what_is_not_to_run_is_asked_to_stop_and_forced_when_it_is_long_overdue() {
        let stopping = known(Phase::Stopping);
        assert_eq!(decide(stopping, &Sight::Up(status(2))), Act::Stop(Stop::Ask));
        let sight = Sight::Stopping(Status { up: false, ..status(2) });
        assert_eq!(decide(stopping, &sight), Act::Nothing);
        let late = Known { lasted: Duration::from_secs(76), ..stopping };
        assert_eq!(decide(late, &sight), Act::Stop(Stop::Forced));
        let abrupt = Known { abrupt: true, ..stopping };
        assert_eq!(decide(abrupt, &sight), Act::Stop(Stop::Abrupt));
        let gone = Sight::Gone(None);
        assert_eq!(decide(stopping, &gone), Act::Move(Phase::Stopped, 2, None));
        let ending = known(Phase::ShuttingDown);
        assert_eq!(decide(ending, &gone), Act::Move(Phase::Terminated, 2, None));
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
