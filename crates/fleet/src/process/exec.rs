//! The last step before a program runs: a process that a shim made becomes what its unit says, in
//! its own session, as its user, within its limits, and then the program.
//!
//! It is this very program again, because nothing but exec is safe between fork and exec. Where a
//! step fails, the exit code is systemd's for it, and the reason goes where the program's would.
//!
//! Until it has become its unit's user, it may be root, and user data must move nothing in it. So
//! the unit's variables come under names that mean nothing to anybody ([`SET`]), where the loader
//! would otherwise obey them; and what the unit has read or weighed comes after.

use std::collections::BTreeMap;
use std::env;
use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command as Process;

use minicbor::{Decode, Encode};
use rustix::fs::{Mode, OFlags};
use rustix::process::{
    Gid, Pid, Resource, Rlimit, Uid, getppid, set_parent_process_death_signal, setpriority_process,
    setrlimit, setsid, umask,
};

use super::plan::MARK;
use crate::unit::{Command, Limit};

/// What stands before the name of a variable of the unit until its program runs.
pub(super) const SET: &str = "TIDEMILL_SET_";
/// The variable that marks the processes of one run of a unit.
pub(super) const INVOCATION: &str = "INVOCATION_ID";
/// Most bytes of a file of variables.
const VARIABLES: u64 = 1 << 20;

/// What a process becomes.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
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
    #[n(8)]
    pub(super) command: Command,
    /// Files with variables, and whether each may be missing.
    #[n(9)]
    pub(super) files: Vec<(String, bool)>,
    /// Variables that the program is not given.
    #[n(10)]
    pub(super) unset: Vec<String>,
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

fn prepare(order: &str) -> Result<Process, ExecError> {
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
    umask(Mode::from_raw_mode(order.umask));
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
    if let Some(nice) = order.nice {
        setpriority_process(None, nice)
            .map_err(|error| ExecError::new(201, format!("niceness {nice}"), error))?;
    }
    enter(&order)?;
    let environment = environment(&order)?;
    let argv = order.command.argv(&environment);
    let program = &order.command.program;
    let mut process = Process::new(find(program));
    process.arg0(argv.first().unwrap_or(program)).args(argv.iter().skip(1));
    process.env_clear().envs(&environment);
    Ok(process)
}

/// The variables of the program: those that the shim set, those of files, and our marks, whatever
/// the others say.
fn environment(order: &Become) -> Result<BTreeMap<String, String>, ExecError> {
    let given: BTreeMap<String, String> = env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect();
    let set = |(name, value): (&String, &String)| {
        name.strip_prefix(SET).map(|name| (name.to_owned(), value.clone()))
    };
    let mut environment: BTreeMap<String, String> = given.iter().filter_map(set).collect();
    for (path, may_be_missing) in &order.files {
        match read(Path::new(path)) {
            Ok(text) => environment.extend(variables(&text)),
            Err(error) if *may_be_missing && error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => {
                return Err(ExecError::new(209, format!("EnvironmentFile {path}"), error));
            }
        }
    }
    environment.retain(|name, _| !order.unset.contains(name));
    let marks = given.into_iter().filter(|(name, _)| name == MARK || name == INVOCATION);
    environment.extend(marks);
    Ok(environment)
}

/// Reads a file of variables. What is none, as a pipe or a device, may never end.
fn read(path: &Path) -> io::Result<String> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file = File::from(rustix::fs::open(path, flags, Mode::empty())?);
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("it is no file"));
    }
    let mut text = String::new();
    file.take(VARIABLES + 1).read_to_string(&mut text)?;
    if text.len() as u64 > VARIABLES {
        return Err(io::Error::other(format!("it is larger than {} KiB", VARIABLES >> 10)));
    }
    Ok(text)
}

/// The variables of an EnvironmentFile: a line each, with quotes around a value taken off.
fn variables(text: &str) -> Vec<(String, String)> {
    let lines = text.lines().map(str::trim).filter(|line| !line.starts_with(['#', ';']));
    let pairs = lines.filter_map(|line| line.split_once('='));
    let bare = |value: &str| {
        let value = value.trim();
        let quoted = ['"', '\''].iter().find_map(|quote| {
            value.strip_prefix(*quote).and_then(|rest| rest.strip_suffix(*quote))
        });
        quoted.unwrap_or(value).to_owned()
    };
    pairs.map(|(name, value)| (name.trim().to_owned(), bare(value))).collect()
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
            fallback: None,
            umask: 0o022,
            nice: Some(-1),
            limits: vec![(number_of(Limit::Files), Some(10), None)],
            no_new_privileges: true,
            command: Command::plain("a", vec!["ü \n".into()]),
            files: vec![("/etc/a".into(), true)],
            unset: vec!["B".into()],
        };
        let read: Become = minicbor::decode(&unhex(&order(&what)).unwrap()).unwrap();
        assert_eq!(read, what);
        assert_eq!(unhex("0"), None);
    }

    #[test]
    fn a_file_of_variables_has_a_line_for_each() {
        let read = variables("# c\nA=1\n B = \"two words\" \nC='x'\nnothing\nD=\n");
        let expected = [("A", "1"), ("B", "two words"), ("C", "x"), ("D", "")];
        let expected: Vec<_> =
            expected.into_iter().map(|(k, v)| (k.to_owned(), v.to_owned())).collect();
        assert_eq!(read, expected);
    }

    #[test]
    fn what_is_no_file_of_variables_is_refused_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let (pipe, mode) = (path("pipe"), Mode::RUSR);
        rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, mode, 0).unwrap();
        for none in [&*pipe, Path::new("/dev/zero"), folder.path()] {
            assert_eq!(read(none).unwrap_err().to_string(), "it is no file", "{none:?}");
        }
        std::fs::write(path("most"), vec![b'#'; 1 << 20]).unwrap();
        std::fs::write(path("more"), vec![b'#'; (1 << 20) + 1]).unwrap();
        assert!(read(&path("most")).is_ok());
        assert!(read(&path("more")).unwrap_err().to_string().contains("1024 KiB"));
    }
}
