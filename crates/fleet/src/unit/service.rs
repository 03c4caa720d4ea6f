//! `[Service]`: what a service runs, as whom, and what happens when it ends.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use super::command::Command;
use super::signal::Signal;
use super::status::{Ended, StatusSet};

/// What a service is.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "units have these switches")]
pub struct Service {
    /// When it counts as started, and as ended.
    pub kind: ServiceKind,
    /// Run before it, one after the other.
    pub before: Vec<Command>,
    /// What it runs: one command, or several where it is a oneshot.
    pub run: Vec<Command>,
    /// When it is started again.
    pub restart: Restart,
    /// How long it rests before it is started again.
    pub rest: Duration,
    /// At most so many starts in that span.
    pub start_limit: (u32, Duration),
    /// Ends that are good ones besides the usual.
    pub good: StatusSet,
    /// Ends after which it is not started again.
    pub final_ends: StatusSet,
    /// Ends after which it always is.
    pub forced_ends: StatusSet,
    /// How long it may take to start.
    pub start_timeout: Duration,
    /// How long it may take to stop before it is killed.
    pub stop_timeout: Duration,
    /// How long it may run.
    pub run_limit: Duration,
    /// Whom a stop is for.
    pub kill: KillMode,
    /// What asks it to end.
    pub kill_signal: Signal,
    /// What asks it to end where it is to be started again.
    pub restart_signal: Option<Signal>,
    /// Whether SIGHUP follows the first signal.
    pub hang_up: bool,
    /// Whether it is killed when it does not end.
    pub kill_at_last: bool,
    /// Whether a oneshot counts as active once it has ended.
    pub remains: bool,
    /// Whom it runs as, where we may choose.
    pub user: Option<String>,
    /// Its group.
    pub group: Option<String>,
    /// Where it runs; its instance's folder if it says nothing.
    pub folder: Option<Folder>,
    /// Variables.
    pub environment: BTreeMap<String, String>,
    /// Files with more of them, and whether each may be missing.
    pub environment_files: Vec<(PathBuf, bool)>,
    /// Variables that it is not given.
    pub unset: Vec<String>,
    /// The mode bits that its files do not get.
    pub umask: u32,
    /// How nice it is to others, -20 to 19.
    pub nice: Option<i32>,
    /// Limits of each of its processes: soft, hard; None is no limit.
    pub limits: Vec<(Limit, Option<u64>, Option<u64>)>,
    /// Whether its processes can get rights that it has not.
    pub no_new_privileges: bool,
    /// Where its standard output goes.
    pub output: Output,
    /// Where its standard error goes.
    pub error: Output,
    /// The most memory that the unit says it may have, in bytes.
    pub memory_max: Option<u64>,
}

/// When a service counts as started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServiceKind {
    /// At once; it ends with its process.
    Simple,
    /// When it ends: it does one thing.
    Oneshot,
}

/// When a service is started again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Restart {
    /// Never.
    No,
    /// Whenever it ends.
    Always,
    /// When it ended well.
    OnSuccess,
    /// When it did not.
    OnFailure,
    /// When a signal or a time limit ended it.
    OnAbnormal,
    /// When a signal ended it.
    OnAbort,
}

/// Whom a stop is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KillMode {
    /// All of its processes.
    ControlGroup,
    /// The first is asked, the others are killed.
    Mixed,
    /// The first alone.
    Process,
}

/// A folder to run in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Folder {
    /// Which; None is the home of whoever runs it.
    pub path: Option<PathBuf>,
    /// Whether it may be missing.
    pub may_be_missing: bool,
}

/// Where what a service prints goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    /// Into the instance's log.
    Log,
    /// Nowhere.
    Null,
}

/// A limit of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// Seconds of processor time.
    Cpu,
    /// Bytes of a file.
    FileSize,
    /// Bytes of memory that is written to.
    Data,
    /// Bytes of a stack.
    Stack,
    /// Bytes of a core file.
    Core,
    /// Open files.
    Files,
    /// Bytes of addresses.
    Addresses,
    /// Processes of its user.
    Processes,
    /// Bytes of memory that is locked.
    Locked,
}

impl Service {
    /// A service of this kind that runs `run`, with what systemd takes where a unit says nothing.
    pub fn new(kind: ServiceKind, run: Vec<Command>) -> Self {
        let oneshot = kind == ServiceKind::Oneshot;
        Self {
            kind,
            before: Vec::new(),
            run,
            restart: Restart::No,
            rest: Duration::from_millis(100),
            start_limit: (5, Duration::from_secs(10)),
            good: StatusSet::default(),
            final_ends: StatusSet::default(),
            forced_ends: StatusSet::default(),
            start_timeout: if oneshot { Duration::MAX } else { Duration::from_secs(90) },
            stop_timeout: Duration::from_secs(90),
            run_limit: Duration::MAX,
            kill: KillMode::ControlGroup,
            kill_signal: Signal::TERM,
            restart_signal: None,
            hang_up: false,
            kill_at_last: true,
            remains: false,
            user: None,
            group: None,
            folder: None,
            environment: BTreeMap::new(),
            environment_files: Vec::new(),
            unset: Vec::new(),
            umask: 0o022,
            nice: None,
            limits: Vec::new(),
            no_new_privileges: false,
            output: Output::Log,
            error: Output::Log,
            memory_max: None,
        }
    }

    /// Whether an end is a good one.
    pub fn is_good(&self, ended: Ended) -> bool {
        let usual = match ended {
            Ended::Code(code) => code == 0,
            // A service that a usual signal ends has done as it was told.
            Ended::Signal(number) => {
                let clean = [Signal::HUP, Signal::INT, Signal::TERM, Signal::PIPE];
                self.kind == ServiceKind::Simple
                    && clean.iter().any(|signal| signal.number() == number)
            }
        };
        usual || self.good.has(ended)
    }

    /// Whether it is started again after an end, which was good or not, or came by a time limit.
    pub fn restarts(&self, ended: Option<Ended>, good: bool, timed_out: bool) -> bool {
        if ended.is_some_and(|ended| self.final_ends.has(ended)) {
            return false;
        }
        if ended.is_some_and(|ended| self.forced_ends.has(ended)) {
            return true;
        }
        let by_signal = matches!(ended, Some(Ended::Signal(_))) && !good && !timed_out;
        match self.restart {
            Restart::No => false,
            Restart::Always => true,
            Restart::OnSuccess => good,
            Restart::OnFailure => !good,
            Restart::OnAbnormal => by_signal || timed_out,
            Restart::OnAbort => by_signal,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn service(restart: Restart) -> Service {
        let run = vec![Command::plain("/bin/true", Vec::new())];
        Service { restart, ..Service::new(ServiceKind::Simple, run) }
    }

    #[test]
    fn a_service_is_started_again_as_the_table_of_systemd_says() {
        use Restart as R;
        let clean = [Ended::Code(0), Ended::Signal(15)];
        // By clean end, exit code, signal, time limit.
        let table = [
            (R::No, [false, false, false, false]),
            (R::Always, [true, true, true, true]),
            (R::OnSuccess, [true, false, false, false]),
            (R::OnFailure, [false, true, true, true]),
            (R::OnAbnormal, [false, false, true, true]),
            (R::OnAbort, [false, false, true, false]),
        ];
        for (restart, expected) in table {
            let service = service(restart);
            let after = |ended| service.restarts(Some(ended), service.is_good(ended), false);
            for end in clean {
                assert_eq!(after(end), expected[0], "{restart:?} after {end}");
            }
            assert_eq!(after(Ended::Code(1)), expected[1], "{restart:?} after a code");
            assert_eq!(after(Ended::Signal(9)), expected[2], "{restart:?} after a signal");
            let late = service.restarts(Some(Ended::Signal(9)), false, true);
            assert_eq!(late, expected[3], "{restart:?} after a time limit");
        }
    }

    #[test]
    fn some_ends_are_final_and_some_are_good() {
        let mut service = service(Restart::Always);
        service.final_ends.add("42").unwrap();
        service.good.add("3 SIGKILL").unwrap();
        assert!(!service.restarts(Some(Ended::Code(42)), false, false));
        assert!(service.is_good(Ended::Code(3)) && service.is_good(Ended::Signal(9)));
        service.kind = ServiceKind::Oneshot;
        assert!(!service.is_good(Ended::Signal(15)));
    }
}
