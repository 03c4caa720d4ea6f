//! The processes of an instance: found by who came of whom, and signalled without ever meeting a
//! stranger.
//!
//! A process is known by its number and by when it started. Before it is signalled, a handle to it
//! is opened and it is looked at again: if it is still the same, so is whatever the handle reaches.

use std::fs;
use std::io;

use rustix::process::{Pid, PidfdFlags, Signal as RawSignal, pidfd_open, pidfd_send_signal};

use crate::driver::is_shortage;
use crate::unit::Signal;

/// How often the children of a root are asked for, at most, for those who came to it meanwhile.
const ROUNDS: usize = 4;

/// A process, as it was when it was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Process {
    pub(super) pid: Pid,
    pub(super) parent: i32,
    /// When it started, in ticks since the machine did.
    pub(super) started: u64,
    /// Whether it has ended, and waits to be asked how. One whose first thread alone has ended
    /// lives on in the others.
    pub(super) is_zombie: bool,
    /// What its program is called.
    pub(super) name: String,
}

impl Process {
    /// Looks at a process, if there is one.
    pub(super) fn look(pid: Pid) -> Option<Self> {
        Self::find(pid).ok()?
    }

    /// Looks at a process; an error if that cannot be done.
    fn find(pid: Pid) -> io::Result<Option<Self>> {
        let stat = of_process(fs::read(format!("/proc/{}/stat", pid.as_raw_nonzero())))?;
        Ok(stat.and_then(|stat| Self::parse(pid, &String::from_utf8_lossy(&stat))))
    }

    fn parse(pid: Pid, stat: &str) -> Option<Self> {
        // The name is in brackets, and may hold some itself.
        let (_, rest) = stat.split_once('(')?;
        let (name, rest) = rest.rsplit_once(") ")?;
        let fields: Vec<&str> = rest.split(' ').collect();
        let threads: u32 = fields.get(17)?.parse().ok()?;
        Some(Self {
            pid,
            is_zombie: matches!(*fields.first()?, "Z" | "X") && threads <= 1,
            parent: fields.get(1)?.parse().ok()?,
            started: fields.get(19)?.parse().ok()?,
            name: name.to_owned(),
        })
    }

    /// This process.
    pub(super) fn own() -> Option<Self> {
        Self::look(rustix::process::getpid())
    }

    /// Sends a signal, unless the process is gone by now. Says whether it was sent.
    pub(super) fn signal(&self, signal: Signal) -> bool {
        self.send(signal.raw())
    }

    fn send(&self, signal: RawSignal) -> bool {
        let Ok(handle) = pidfd_open(self.pid, PidfdFlags::empty()) else { return false };
        let now = Self::look(self.pid);
        if now.is_none_or(|now| now.started != self.started) {
            return false;
        }
        pidfd_send_signal(&handle, signal).is_ok()
    }

    /// How many bytes of memory it holds; `fairly` shares what several hold among them.
    pub(super) fn memory(&self, fairly: bool) -> u64 {
        let pid = self.pid.as_raw_nonzero();
        if fairly && let Ok(rollup) = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")) {
            let line = rollup.lines().find_map(|line| line.strip_prefix("Pss:"));
            let kilobytes = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse().ok());
            return kilobytes.unwrap_or(0_u64) << 10;
        }
        let statm = fs::read_to_string(format!("/proc/{pid}/statm")).unwrap_or_default();
        let pages = statm.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok());
        pages.unwrap_or(0) * rustix::param::page_size() as u64
    }

    /// Whether its environment holds this variable with this value.
    pub(super) fn is_marked(&self, mark: &str) -> io::Result<bool> {
        let environment = fs::read(format!("/proc/{}/environ", self.pid.as_raw_nonzero()));
        let environment = of_process(environment)?.unwrap_or_default();
        Ok(environment.split(|byte| *byte == 0).any(|variable| variable == mark.as_bytes()))
    }
}

/// What was read of a process; None if it is gone, or somebody else's.
fn of_process<T>(read: io::Result<T>) -> io::Result<Option<T>> {
    match read {
        Err(error) if is_shortage(&error) => Err(error),
        read => Ok(read.ok()),
    }
}

/// All that came of `root`, a subreaper, without itself, the nearest first. Zombies are left out,
/// but not what came of them. An error if the system is too short of something to tell.
///
/// That nobody is found says little: processes come and go while they are looked at. Whether there
/// is nobody, the system says who waits for a child.
pub(super) fn descendants(root: Pid) -> io::Result<Vec<Process>> {
    let mut found: Vec<Process> = Vec::new();
    for _ in 0..ROUNDS {
        let before = found.len();
        let mut todo = vec![root];
        while let Some(parent) = todo.pop() {
            for pid in children(parent)? {
                // A number that was given to a stranger since has another parent.
                if !found.iter().any(|known| known.pid == pid)
                    && let Some(process) = Process::find(pid)?
                    && process.parent == parent.as_raw_nonzero().get()
                {
                    todo.push(pid);
                    found.push(process);
                }
            }
        }
        // One whose parent ended meanwhile has come to the root by now.
        if found.len() == before {
            break;
        }
    }
    found.retain(|process| !process.is_zombie);
    Ok(found)
}

/// The children of a process, by each of its threads.
fn children(parent: Pid) -> io::Result<Vec<Pid>> {
    let tasks = format!("/proc/{}/task", parent.as_raw_nonzero());
    let Some(tasks) = of_process(fs::read_dir(tasks))? else { return Ok(Vec::new()) };
    let mut found = Vec::new();
    for task in tasks {
        let Some(task) = of_process(task)? else { continue };
        match fs::read_to_string(task.path().join("children")) {
            // A kernel that does not list them: every process says who its parent is.
            Err(error) if error.kind() == io::ErrorKind::NotFound && task.path().exists() => {
                return by_parent(parent);
            }
            list => {
                let list = of_process(list)?.unwrap_or_default();
                found.extend(list.split_ascii_whitespace().filter_map(pid));
            }
        }
    }
    Ok(found)
}

fn by_parent(parent: Pid) -> io::Result<Vec<Pid>> {
    let parent = parent.as_raw_nonzero().get();
    Ok(all()?.into_iter().filter(|process| process.parent == parent).map(|one| one.pid).collect())
}

/// Every process of the machine that carries `mark` in its environment: what an earlier shim left
/// behind that did not get to clear up. An error if one of them might have been missed.
pub(super) fn marked(mark: &str) -> io::Result<Vec<Process>> {
    let own = rustix::process::getpid();
    let mut found = all()?;
    found.retain(|one| one.pid != own && !one.is_zombie);
    // It was looked at before, so that no number stands for a stranger by now.
    let marked = |one: Process| one.is_marked(mark).map(|marked| marked.then_some(one));
    found.into_iter().filter_map(|one| marked(one).transpose()).collect()
}

fn all() -> io::Result<Vec<Process>> {
    let entries = fs::read_dir("/proc")?.collect::<io::Result<Vec<_>>>()?;
    let pids = entries.into_iter().filter_map(|entry| pid(entry.file_name().to_str()?));
    pids.filter_map(|pid| Process::find(pid).transpose()).collect()
}

fn pid(text: &str) -> Option<Pid> {
    text.parse().ok().and_then(Pid::from_raw)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(stat: &str) -> Process {
        Process::parse(Pid::from_raw(7).unwrap(), stat).unwrap()
    }

    #[test]
    fn a_process_has_ended_once_all_of_its_threads_have() {
        let stat = |state, threads| {
            format!("7 (a) b) c) {state} 3 7 7 0 -1 0 0 0 0 0 0 0 0 0 20 0 {threads} 0 4567 0 0")
        };
        let runs = parse(&stat("S", 1));
        assert_eq!((&*runs.name, runs.parent, runs.started), ("a) b) c", 3, 4567));
        assert!(!runs.is_zombie && parse(&stat("Z", 1)).is_zombie);
        assert!(!parse(&stat("Z", 2)).is_zombie);
    }

    #[test]
    fn what_came_of_a_process_is_found_with_what_came_of_that() {
        let mut first = std::process::Command::new("/bin/sh");
        first.args(["-c", "sleep 1000 & echo; wait"]).stdout(std::process::Stdio::piped());
        let mut first = first.spawn().unwrap();
        // The shell has made the other by the time it says so.
        io::Read::read_exact(first.stdout.as_mut().unwrap(), &mut [0]).unwrap();
        let found = descendants(rustix::process::getpid()).unwrap();
        let shell = found.iter().position(|one| one.pid == Pid::from_child(&first)).unwrap();
        let parent = found[shell].pid.as_raw_nonzero().get();
        let other = found.iter().position(|one| one.parent == parent).unwrap();
        assert!(shell < other);
        for process in [&found[other], &found[shell]] {
            assert!(process.signal(Signal::KILL));
        }
        first.wait().unwrap();
    }
}
