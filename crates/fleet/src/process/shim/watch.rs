//! What an instance uses, looked at each second: more memory or more processes than its type has
//! are not held back, but somebody pays for them.

use std::io;

use rustix::process::Pid;

use crate::process::tree::{self, Process};
use crate::unit::Signal;

/// What an instance uses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Use {
    pub(super) processes: u32,
    pub(super) memory: u64,
}

/// What was done about too much.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// It is within its limits.
    Well,
    /// So much memory was held: the process that held most of it was killed.
    Memory(u64, Process),
    /// So many processes ran: all were killed.
    Processes(usize),
}

/// Looks at all that came of `root`, and kills what is too much. An error if it cannot look.
pub(super) fn look(root: Pid, memory: u64, processes: u32) -> io::Result<(Use, Found)> {
    let all = tree::descendants(root)?;
    let used = Use {
        processes: u32::try_from(all.len()).unwrap_or(u32::MAX),
        memory: all.iter().map(|process| process.memory(false)).sum(),
    };
    if used.processes > processes {
        // Who is stopped makes no more, so that the last of them can be found.
        for process in &all {
            process.signal(Signal::STOP);
        }
        let count = all.len();
        for process in tree::descendants(root).unwrap_or(all) {
            process.signal(Signal::KILL);
        }
        return Ok((used, Found::Processes(count)));
    }
    if used.memory <= memory {
        return Ok((used, Found::Well));
    }
    // What several share was counted for each of them: now it is looked at closely.
    let shares: Vec<u64> = all.iter().map(|process| process.memory(true)).collect();
    let held: u64 = shares.iter().sum();
    let used = Use { memory: held, ..used };
    let most = shares.iter().zip(all).max_by_key(|(share, _)| **share);
    Ok(match most {
        Some((_, process)) if held > memory => {
            process.signal(Signal::KILL);
            (used, Found::Memory(held, process))
        }
        _ => (used, Found::Well),
    })
}
