//! How a process ended, and which ends a unit says are good.

use std::collections::BTreeSet;
use std::fmt;

use super::signal::Signal;

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// With this exit code.
    Code(i32),
    /// By a signal of this number.
    Signal(i32),
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(f, "exit code {code}"),
            Self::Signal(number) => match Signal::of_number(*number) {
                Some(signal) => write!(f, "{signal}"),
                None => write!(f, "signal {number}"),
            },
        }
    }
}

/// Some exit codes and signals, as `SuccessExitStatus=` lists them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StatusSet {
    codes: BTreeSet<i32>,
    signals: BTreeSet<i32>,
}

/// The names that systemd has for exit codes, as far as programs use them.
const CODES: &[(&str, i32)] = &[
    ("SUCCESS", 0),
    ("FAILURE", 1),
    ("INVALIDARGUMENT", 2),
    ("NOTIMPLEMENTED", 3),
    ("NOPERMISSION", 4),
    ("NOTINSTALLED", 5),
    ("NOTCONFIGURED", 6),
    ("NOTRUNNING", 7),
    ("USAGE", 64),
    ("DATAERR", 65),
    ("NOINPUT", 66),
    ("NOUSER", 67),
    ("NOHOST", 68),
    ("UNAVAILABLE", 69),
    ("SOFTWARE", 70),
    ("OSERR", 71),
    ("OSFILE", 72),
    ("CANTCREAT", 73),
    ("IOERR", 74),
    ("TEMPFAIL", 75),
    ("PROTOCOL", 76),
    ("NOPERM", 77),
    ("CONFIG", 78),
];

impl StatusSet {
    /// Whether it has this end.
    pub fn has(&self, ended: Ended) -> bool {
        match ended {
            Ended::Code(code) => self.codes.contains(&code),
            Ended::Signal(number) => self.signals.contains(&number),
        }
    }

    /// Adds what a value lists: numbers, names of codes, names of signals. Nothing clears the set.
    pub(super) fn add(&mut self, value: &str) -> Result<(), String> {
        if value.trim().is_empty() {
            *self = Self::default();
        }
        for word in value.split_whitespace() {
            let named = CODES.iter().find(|(name, _)| *name == word).map(|(_, code)| *code);
            let code = word.parse().ok().filter(|code| (0..=255).contains(code));
            if let Some(code) = named.or(code) {
                self.codes.insert(code);
                continue;
            }
            let signal: Result<Signal, _> = word.parse();
            let wrong = |_| format!("{word:?} is neither an exit code nor a signal");
            self.signals.insert(signal.map_err(wrong)?.number());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_of_ends_is_listed_by_number_and_name() {
        let mut set = StatusSet::default();
        set.add("1 TEMPFAIL SIGKILL").unwrap();
        set.add("250").unwrap();
        for ended in [Ended::Code(1), Ended::Code(75), Ended::Code(250), Ended::Signal(9)] {
            assert!(set.has(ended), "{ended}");
        }
        assert!(!set.has(Ended::Signal(15)) && !set.has(Ended::Code(9)));
        assert!(set.add("256").is_err() && set.add("SIGWHAT").is_err());
        set.add("").unwrap();
        assert_eq!(set, StatusSet::default());
    }
}
