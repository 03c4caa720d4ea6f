//! Signals by name and number.

use std::fmt;
use std::str::FromStr;

/// A signal of the system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Signal(rustix::process::Signal);

const NAMES: &[(&str, rustix::process::Signal)] = {
    use rustix::process::Signal as S;
    &[
        ("HUP", S::HUP),
        ("INT", S::INT),
        ("QUIT", S::QUIT),
        ("ILL", S::ILL),
        ("TRAP", S::TRAP),
        ("ABRT", S::ABORT),
        ("BUS", S::BUS),
        ("FPE", S::FPE),
        ("KILL", S::KILL),
        ("USR1", S::USR1),
        ("SEGV", S::SEGV),
        ("USR2", S::USR2),
        ("PIPE", S::PIPE),
        ("ALRM", S::ALARM),
        ("TERM", S::TERM),
        ("CHLD", S::CHILD),
        ("CONT", S::CONT),
        ("STOP", S::STOP),
        ("TSTP", S::TSTP),
        ("TTIN", S::TTIN),
        ("TTOU", S::TTOU),
        ("URG", S::URG),
        ("XCPU", S::XCPU),
        ("XFSZ", S::XFSZ),
        ("VTALRM", S::VTALARM),
        ("PROF", S::PROF),
        ("WINCH", S::WINCH),
        ("IO", S::IO),
        ("PWR", S::POWER),
        ("SYS", S::SYS),
    ]
};

impl Signal {
    /// Asks a program to hang up, or to read its settings again.
    pub const HUP: Self = Self(rustix::process::Signal::HUP);
    /// What Ctrl-C sends.
    pub const INT: Self = Self(rustix::process::Signal::INT);
    /// Ends a program, whatever it does.
    pub const KILL: Self = Self(rustix::process::Signal::KILL);
    /// Whoever writes to nobody gets it.
    pub const PIPE: Self = Self(rustix::process::Signal::PIPE);
    /// Asks a program to end.
    pub const TERM: Self = Self(rustix::process::Signal::TERM);
    /// Stops a program until it may go on.
    pub const STOP: Self = Self(rustix::process::Signal::STOP);
    /// Lets a stopped program go on.
    pub const CONT: Self = Self(rustix::process::Signal::CONT);

    /// The signal of this number, if it has a name.
    pub fn of_number(number: i32) -> Option<Self> {
        NAMES.iter().map(|(_, signal)| Self(*signal)).find(|signal| signal.number() == number)
    }

    /// Its number.
    pub fn number(self) -> i32 {
        self.0.as_raw()
    }

    /// As the system's calls take it.
    pub(crate) fn raw(self) -> rustix::process::Signal {
        self.0
    }
}

impl FromStr for Signal {
    type Err = String;

    /// `SIGTERM`, `TERM` or `15`.
    fn from_str(text: &str) -> Result<Self, String> {
        let name = text.strip_prefix("SIG").unwrap_or(text);
        let named = NAMES.iter().find(|(known, _)| *known == name);
        let found = named.map(|(_, signal)| Self(*signal));
        let found = found.or_else(|| Self::of_number(text.parse().ok()?));
        found.ok_or_else(|| format!("{text:?} is no signal"))
    }
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = NAMES.iter().find(|(_, signal)| signal.as_raw() == self.number());
        write!(f, "SIG{}", name.map_or("?", |(name, _)| name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_has_a_name_and_a_number() {
        for text in ["SIGTERM", "TERM", "15"] {
            assert_eq!(text.parse(), Ok(Signal::TERM));
        }
        assert_eq!(Signal::KILL.to_string(), "SIGKILL");
        assert!("SIGNOPE".parse::<Signal>().is_err());
        assert!("0".parse::<Signal>().is_err());
    }
}
