//! One service of an instance, as a machine: what happened and the time come in, and what to do
//! comes out. It does no I/O and reads no clock; all times are since the instance was started.

use std::collections::VecDeque;
use std::time::Duration;

use crate::unit::{Command, Ended, KillMode, Service, ServiceKind, Signal};

/// A service and how far it is.
#[derive(Debug)]
pub(super) struct Supervisor {
    service: Service,
    stage: Stage,
    /// When it was started lately, as far as the limit of starts looks back.
    starts: VecDeque<Duration>,
    /// How often it was started again by itself.
    restarts: u32,
    /// What its last run came to.
    outcome: Outcome,
    /// Whether it is to stay down.
    stopping: bool,
}

/// What a service does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// It does not run.
    Down,
    /// A command of `before` runs, until it must have ended.
    Before(usize, Duration),
    /// A command of `run` runs: the service, or a step of it. Until it must have ended.
    Running(usize, Duration),
    /// It was asked to end, and is killed then.
    Asked(Duration),
    /// It was killed.
    Killed,
    /// Its process has ended; others of it are asked to, and killed then.
    Clearing(Duration),
    /// They were killed.
    Cleared,
    /// It is started again then.
    Resting(Duration),
    /// It has done what it does, and counts as active.
    Remaining,
}

/// What a run came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Outcome {
    /// How its process ended, if there was one.
    pub(super) ended: Option<Ended>,
    pub(super) why: Why,
}

/// Why a run ended as it did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Why {
    /// It did well, or did not run yet.
    Good,
    /// It did not.
    Bad,
    /// It took too long.
    Late,
    /// It had to be started too often.
    TooOften,
}

/// What to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Do {
    /// Run this command, and tell how it ends.
    Run(Command),
    /// Send this signal.
    Signal(Signal, Whom),
    /// Write this into the log.
    Say(String),
    /// The service has ended, whatever comes next.
    Ended,
}

/// Whom a signal is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Whom {
    /// The process that was run.
    First,
    /// That and all that came of it.
    All,
}

/// How a service is seen from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum View {
    /// It runs, or has done what it does and remains.
    Active,
    /// It is about to.
    Activating,
    /// It is about to end.
    Deactivating,
    /// It ended well, or never ran.
    Inactive,
    /// It did not, and is not started again.
    Failed,
}

impl Supervisor {
    pub(super) fn new(service: Service) -> Self {
        let outcome = Outcome { ended: None, why: Why::Good };
        let (starts, stage) = (VecDeque::new(), Stage::Down);
        Self { service, stage, starts, restarts: 0, outcome, stopping: false }
    }

    /// Starts the service, unless it runs.
    pub(super) fn start(&mut self, now: Duration) -> Vec<Do> {
        if self.stage != Stage::Down || self.stopping {
            return Vec::new();
        }
        self.launch(now)
    }

    fn launch(&mut self, now: Duration) -> Vec<Do> {
        let (most, span) = self.service.start_limit;
        while self.starts.front().is_some_and(|start| now.saturating_sub(*start) >= span) {
            self.starts.pop_front();
        }
        let limited = most > 0 && !span.is_zero();
        if limited && self.starts.len() >= usize::try_from(most).unwrap_or(usize::MAX) {
            self.stage = Stage::Down;
            self.outcome.why = Why::TooOften;
            let told =
                format!("it was started {most} times within {span:?}, and is left alone now");
            return vec![Do::Say(told), Do::Ended];
        }
        self.starts.push_back(now);
        let outcome = Outcome { ended: None, why: Why::Good };
        self.outcome = outcome;
        self.step(now, None)
    }

    /// Runs the first command, or the one after the command that has ended.
    fn step(&mut self, now: Duration, done: Option<Stage>) -> Vec<Do> {
        let next = match done {
            None => (true, 0),
            Some(Stage::Before(index, _)) => (true, index + 1),
            Some(Stage::Running(index, _)) => (false, index + 1),
            Some(other) => unreachable!("{other:?} runs no command"),
        };
        let until = now.saturating_add(self.service.start_timeout);
        if next.0
            && let Some(command) = self.service.before.get(next.1)
        {
            self.stage = Stage::Before(next.1, until);
            return vec![Do::Run(command.clone())];
        }
        let index = if next.0 { 0 } else { next.1 };
        let command = self.service.run.get(index).cloned();
        let command =
            command.expect("a service has a command, and the last one is not stepped from");
        let until = match self.service.kind {
            ServiceKind::Oneshot => until,
            ServiceKind::Simple => now.saturating_add(self.service.run_limit),
        };
        self.stage = Stage::Running(index, until);
        vec![Do::Run(command)]
    }

    /// The process that was run has ended.
    pub(super) fn ended(&mut self, now: Duration, ended: Ended) -> Vec<Do> {
        let stage = self.stage;
        let mut said = Vec::new();
        match stage {
            Stage::Before(index, _) => {
                let may_fail = self.service.before[index].may_fail;
                if may_fail || ended == Ended::Code(0) {
                    return self.step(now, Some(stage));
                }
                said.push(Do::Say(format!("ExecStartPre ended with {ended}")));
                self.outcome = Outcome { ended: Some(ended), why: Why::Bad };
            }
            Stage::Running(index, _) => {
                let good = self.service.is_good(ended) || self.service.run[index].may_fail;
                if good && index + 1 < self.service.run.len() {
                    return self.step(now, Some(stage));
                }
                self.outcome =
                    Outcome { ended: Some(ended), why: if good { Why::Good } else { Why::Bad } };
                if good && self.service.kind == ServiceKind::Oneshot && self.service.remains {
                    self.stage = Stage::Remaining;
                    return Vec::new();
                }
                said.push(Do::Say(format!("it ended with {ended}")));
            }
            Stage::Asked(_) | Stage::Killed => {
                let good = self.service.is_good(ended);
                let why = match self.outcome.why {
                    Why::Late => Why::Late,
                    _ if good || self.stopping => Why::Good,
                    _ => Why::Bad,
                };
                self.outcome = Outcome { ended: Some(ended), why };
            }
            _ => return Vec::new(),
        }
        said.extend(self.clear(now));
        said
    }

    /// Asks what is left of the service to end, as far as a stop is for it.
    fn clear(&mut self, now: Duration) -> Vec<Do> {
        self.stage = Stage::Clearing(now.saturating_add(self.service.stop_timeout));
        match self.service.kill {
            KillMode::ControlGroup => self.ask(Whom::All),
            KillMode::Mixed => {
                self.stage = Stage::Cleared;
                vec![Do::Signal(Signal::KILL, Whom::All)]
            }
            KillMode::Process => self.swept(now),
        }
    }

    fn ask(&self, whom: Whom) -> Vec<Do> {
        let signal = match self.service.restart_signal {
            Some(signal) if !self.stopping => signal,
            _ => self.service.kill_signal,
        };
        let mut asks = vec![Do::Signal(signal, whom)];
        // Who is stopped cannot end.
        if signal != Signal::KILL && signal != Signal::CONT {
            asks.push(Do::Signal(Signal::CONT, whom));
        }
        if self.service.hang_up {
            asks.push(Do::Signal(Signal::HUP, whom));
        }
        asks
    }

    /// No process of the service is left.
    pub(super) fn swept(&mut self, now: Duration) -> Vec<Do> {
        if !matches!(self.stage, Stage::Clearing(_) | Stage::Cleared) {
            return Vec::new();
        }
        let Outcome { ended, why } = self.outcome;
        let good = why == Why::Good;
        if !self.stopping && self.service.restarts(ended, good, why == Why::Late) {
            self.stage = Stage::Resting(now.saturating_add(self.service.rest));
            self.restarts += 1;
            return vec![Do::Ended];
        }
        self.stage = Stage::Down;
        vec![Do::Ended]
    }

    /// Time has passed.
    pub(super) fn tick(&mut self, now: Duration) -> Vec<Do> {
        match self.stage {
            Stage::Resting(until) if now >= until => {
                let mut said =
                    vec![Do::Say(format!("started again, for the {}. time", self.restarts))];
                said.extend(self.launch(now));
                said
            }
            Stage::Before(_, until) | Stage::Running(_, until) if now >= until => {
                self.outcome = Outcome { ended: None, why: Why::Late };
                let mut said = vec![Do::Say("it took too long".to_owned())];
                said.extend(self.ask_all(now));
                said
            }
            Stage::Asked(until) if now >= until => {
                self.outcome.why = Why::Late;
                if !self.service.kill_at_last {
                    return self.give_up(now);
                }
                self.stage = Stage::Killed;
                let whom = match self.service.kill {
                    KillMode::Process => Whom::First,
                    KillMode::ControlGroup | KillMode::Mixed => Whom::All,
                };
                let told = format!("it did not end within {:?}: killed", self.service.stop_timeout);
                vec![Do::Say(told), Do::Signal(Signal::KILL, whom)]
            }
            Stage::Clearing(until) if now >= until => {
                if !self.service.kill_at_last {
                    return self.give_up(now);
                }
                self.stage = Stage::Cleared;
                vec![Do::Signal(Signal::KILL, Whom::All)]
            }
            _ => Vec::new(),
        }
    }

    /// What did not end is left alone, as the unit says.
    fn give_up(&mut self, now: Duration) -> Vec<Do> {
        self.stage = Stage::Cleared;
        let mut said = vec![Do::Say("it did not end, and is not killed".to_owned())];
        said.extend(self.swept(now));
        said
    }

    fn ask_all(&mut self, now: Duration) -> Vec<Do> {
        self.stage = Stage::Asked(now.saturating_add(self.service.stop_timeout));
        self.ask(match self.service.kill {
            KillMode::ControlGroup => Whom::All,
            KillMode::Mixed | KillMode::Process => Whom::First,
        })
    }

    /// Stops the service for good.
    pub(super) fn stop(&mut self, now: Duration) -> Vec<Do> {
        self.stopping = true;
        match self.stage {
            Stage::Before(..) | Stage::Running(..) => self.ask_all(now),
            Stage::Resting(_) => {
                self.stage = Stage::Down;
                Vec::new()
            }
            Stage::Remaining => self.clear(now),
            _ => Vec::new(),
        }
    }

    /// When to tick next.
    pub(super) fn deadline(&self) -> Option<Duration> {
        match self.stage {
            Stage::Before(_, until)
            | Stage::Running(_, until)
            | Stage::Asked(until)
            | Stage::Clearing(until)
            | Stage::Resting(until) => Some(until).filter(|until| *until != Duration::MAX),
            Stage::Down | Stage::Killed | Stage::Cleared | Stage::Remaining => None,
        }
    }

    /// Whether it waits until no process of it is left.
    pub(super) fn is_clearing(&self) -> bool {
        matches!(self.stage, Stage::Clearing(_) | Stage::Cleared)
    }

    /// Whether all that is left of it is to be killed, whoever joins them meanwhile.
    pub(super) fn is_killing(&self) -> bool {
        match self.stage {
            Stage::Cleared => true,
            Stage::Killed => self.service.kill != KillMode::Process,
            _ => false,
        }
    }

    /// Whether nothing of it runs or will.
    pub(super) fn is_down(&self) -> bool {
        self.stage == Stage::Down
    }

    /// How it is seen from outside.
    pub(super) fn view(&self) -> View {
        match self.stage {
            Stage::Down if self.outcome.why == Why::Good || self.stopping => View::Inactive,
            Stage::Down => View::Failed,
            Stage::Before(..) | Stage::Resting(_) => View::Activating,
            Stage::Running(..) if self.service.kind == ServiceKind::Oneshot => View::Activating,
            Stage::Running(..) | Stage::Remaining => View::Active,
            Stage::Asked(_) | Stage::Killed | Stage::Clearing(_) | Stage::Cleared => {
                View::Deactivating
            }
        }
    }

    pub(super) fn service(&self) -> &Service {
        &self.service
    }

    pub(super) fn outcome(&self) -> Outcome {
        self.outcome
    }

    pub(super) fn restarts(&self) -> u32 {
        self.restarts
    }
}

#[cfg(test)]
mod tests;
