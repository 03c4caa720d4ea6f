//! The last step before a program runs: a process that a shim made becomes what its unit says, in
//! its own session, as its user, within its limits, and then the program.
//!
//! It is this very program again, because nothing but exec is safe between fork and exec. Where a
//! step fails, the exit code is systemd's for it, and the reason goes where the program's would.

use std::env;
use std::io;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::Command;

use minicbor::{Decode, Encode};
use rustix::process::{
    Gid, Pid, Resource, Rlimit, Uid, getppid, set_parent_process_death_signal, setpriority_process,
    setrlimit, setsid, umask,
};

use crate::unit::Limit;

/// What a process becomes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub(super) struct Become {
    /// Whose child it is: when that ends, it is killed.
    #[n(0)]
    pub(super) parent: i32,
    /// The user and the groups, the first of which is its own.
    #[n(1)]
    pub(super) user: Option<(u32, Vec<u32>)>,
    /// Where it runs.
    #[n(2)]
    pub(super) folder: String,
    /// Where it runs if that is missing.
    #[n(3)]
    pub(super) fallback: Option<String>,
    #[n(4)]
    pub(super) umask: u32,
    #[n(5)]
    pub(super) nice: Option<i32>,
    /// Which limit, soft, hard.
    #[n(6)]
    pub(super) limits: Vec<(u8, Option<u64>, Option<u64>)>,
    #[n(7)]
    pub(super) no_new_privileges: bool,
    /// The program, and its words, its name first.
    #[n(8)]
    pub(super) program: String,
    #[n(9)]
    pub(super) argv: Vec<String>,
}

/// The number of a limit in [`Become::limits`].
pub(super) const fn number_of(limit: Limit) -> u8 {
    limit as u8
}

const RESOURCES: [(Limit, Resource); 9] = [
    (Limit::Cpu, Resource::Cpu),
    (Limit::FileSize, Resource::Fsize),
    (Limit::Data, Resource::Data),
    (Limit::Stack, Resource::Stack),
    (Limit::Core, Resource::Core),
    (Limit::Files, Resource::Nofile),
    (Limit::Addresses, Resource::As),
    (Limit::Processes, Resource::Nproc),
    (Limit::Locked, Resource::Memlock),
];

/// Why a program does not run.
#[derive(Debug, thiserror::Error)]
#[error("{what}: {source}")]
pub struct ExecError {
    /// What could not be done.
    what: String,
    source: io::Error,
    /// The exit code that says so.
    pub code: u8,
}

impl ExecError {
    fn new(code: u8, what: impl Into<String>, source: impl Into<io::Error>) -> Self {
        Self { what: what.into(), source: source.into(), code }
    }
}

/// Becomes what `order` says; returns only if that fails. `order` is what a shim wrote.
pub fn exec(order: &str) -> ExecError {
    match prepare(order) {
        Ok(mut command) => {
            let program = command.get_program().to_string_lossy().into_owned();
            let error = command.exec();
            ExecError::new(203, format!("cannot run {program}"), error)
        }
        Err(error) => error,
    }
}

fn prepare(order: &str) -> Result<Command, ExecError> {
    let wrong = || io::Error::new(io::ErrorKind::InvalidInput, "it is no order of a shim");
    let bytes = unhex(order).ok_or_else(|| ExecError::new(1, "the order", wrong()))?;
    let order: Become =
        minicbor::decode(&bytes).map_err(|_| ExecError::new(1, "the order", wrong()))?;
    setsid().map_err(|error| ExecError::new(220, "a session", error))?;
    for (limit, soft, hard) in &order.limits {
        let resource = RESOURCES.iter().find(|(known, _)| number_of(*known) == *limit);
        let Some((name, resource)) = resource else { continue };
        set_limit(*resource, *soft, *hard)
            .map_err(|error| ExecError::new(205, format!("the limit {name:?}"), error))?;
    }
    if let Some(nice) = order.nice {
        setpriority_process(None, nice)
            .map_err(|error| ExecError::new(201, format!("niceness {nice}"), error))?;
    }
    umask(rustix::fs::Mode::from_raw_mode(order.umask));
    if let Some((uid, groups)) = &order.user {
        become_user(*uid, groups)?;
    }
    if order.no_new_privileges {
        rustix::thread::set_no_new_privs(true)
            .map_err(|error| ExecError::new(227, "no new privileges", error))?;
    }
    // A change of user forgets it, so that it comes after.
    let killed = set_parent_process_death_signal(Some(rustix::process::Signal::KILL));
    killed.map_err(|error| ExecError::new(1, "the parent's end", error))?;
    if getppid().map(Pid::as_raw_nonzero) != Pid::from_raw(order.parent).map(Pid::as_raw_nonzero) {
        return Err(ExecError::new(1, "the shim", io::Error::other("it is gone")));
    }
    enter(&order)?;
    let name = order.argv.first().unwrap_or(&order.program).clone();
    let mut command = Command::new(find(&order.program));
    command.arg0(name).args(order.argv.iter().skip(1));
    Ok(command)
}

/// A limit that is higher than may be is lowered to what may be.
fn set_limit(resource: Resource, soft: Option<u64>, hard: Option<u64>) -> rustix::io::Result<()> {
    let most = rustix::process::getrlimit(resource).maximum;
    let within = |wanted: Option<u64>| match (wanted, most) {
        (Some(wanted), Some(most)) => Some(wanted.min(most)),
        (wanted, None) => wanted,
        (None, most) => most,
    };
    let hard = match setrlimit(resource, Rlimit { current: hard, maximum: hard }) {
        Ok(()) => hard,
        Err(_) => within(hard),
    };
    let soft = match (soft, hard) {
        (Some(soft), Some(hard)) => Some(soft.min(hard)),
        (soft, hard) => soft.or(hard),
    };
    setrlimit(resource, Rlimit { current: soft, maximum: hard })
}

/// This process has one thread: its user is the process's.
fn become_user(uid: u32, groups: &[u32]) -> Result<(), ExecError> {
    let groups: Vec<Gid> = groups.iter().map(|gid| Gid::from_raw(*gid)).collect();
    let own = groups.first().copied().unwrap_or(Gid::from_raw(uid));
    rustix::thread::set_thread_groups(&groups)
        .and_then(|()| rustix::thread::set_thread_res_gid(own, own, own))
        .map_err(|error| ExecError::new(216, "its groups", error))?;
    let uid = Uid::from_raw(uid);
    rustix::thread::set_thread_res_uid(uid, uid, uid)
        .map_err(|error| ExecError::new(217, "its user", error))
}

fn enter(order: &Become) -> Result<(), ExecError> {
    let entered = env::set_current_dir(&order.folder);
    let entered = match (&order.fallback, entered) {
        (Some(fallback), Err(_)) => env::set_current_dir(fallback),
        (_, entered) => entered,
    };
    entered.map_err(|error| ExecError::new(200, format!("the folder {}", order.folder), error))
}

/// A program without a path is looked for where systemd looks.
fn find(program: &str) -> PathBuf {
    if program.contains('/') {
        return program.into();
    }
    let folders = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];
    let mut found = folders.iter().map(|folder| PathBuf::from(folder).join(program));
    found.find(|path| path.exists()).unwrap_or_else(|| program.into())
}

/// An order as a word of a command line.
pub(super) fn order(what: &Become) -> String {
    let bytes = minicbor::to_vec(what).expect("writing to memory does not fail");
    bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat()
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits = |at: usize| u8::from_str_radix(text.get(at..at + 2)?, 16).ok();
    (0..text.len()).step_by(2).map(digits).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_goes_through_a_command_line() {
        let what = Become {
            parent: 7,
            user: Some((1, vec![2, 3])),
            folder: "/tmp".into(),
            limits: vec![(number_of(Limit::Files), Some(10), None)],
            argv: vec!["a".into(), "ü \n".into()],
            ..Become::default()
        };
        let read: Become = minicbor::decode(&unhex(&order(&what)).unwrap()).unwrap();
        assert_eq!(read, what);
        assert_eq!(unhex("0"), None);
    }
}
