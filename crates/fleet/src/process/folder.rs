//! An instance's folder: where its plan, its status, its lock and its log are.
//!
//! | | |
//! |---|---|
//! | `LOCK` | Locked while a shim runs; holds its pid and when it started. |
//! | `plan`, `status` | What the shim is told, and what it tells. |
//! | `control` | A pipe: the shim reads `stop` or `kill` from it. |
//! | `log/` | What the programs printed. |
//! | `shim.log` | What the shim itself has to complain about. |
//! | `programs/` | The scripts of the user data, as they are run. |
//! | `home/` | Where the programs run. It stays while the instance is stopped. |

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::{FileType, FlockOperation, Mode, OFlags, flock, mknodat};
use rustix::process::Pid;

use super::plan::{Plan, Status};
use super::tree::Process;
use crate::unit::Signal;

/// The folder of one instance.
#[derive(Clone, Debug)]
pub struct Folder {
    path: PathBuf,
}

impl Folder {
    /// The folder at `path`, whether it is there or not.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Makes it, as far as it is missing. Others may pass through, and see nothing.
    ///
    /// # Errors
    /// If the disk refuses.
    pub fn make(&self) -> io::Result<()> {
        make_open(&self.path)?;
        make_open(&self.path.join("programs"))?;
        for name in ["log", "home"] {
            let path = self.path.join(name);
            if !path.exists() {
                DirBuilder::new().mode(0o700).create(path)?;
            }
        }
        let control = self.path.join("control");
        if !control.exists() {
            let mode = Mode::RUSR | Mode::WUSR;
            mknodat(rustix::fs::CWD, &control, FileType::Fifo, mode, 0)?;
        }
        Ok(())
    }

    /// Removes it with all that is in it.
    ///
    /// # Errors
    /// If the disk refuses.
    pub fn remove(&self) -> io::Result<()> {
        match fs::remove_dir_all(&self.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// Where the programs run.
    pub(super) fn home(&self) -> PathBuf {
        self.path.join("home")
    }

    /// Where its shim listens.
    pub(super) fn control(&self) -> PathBuf {
        self.path.join("control")
    }

    /// Where its log is.
    pub(super) fn log(&self) -> PathBuf {
        self.path.join("log")
    }

    /// A file for the shim's complaints.
    pub(crate) fn complaints(&self) -> io::Result<File> {
        OpenOptions::new().append(true).create(true).mode(0o600).open(self.path.join("shim.log"))
    }

    /// Takes the lock that a shim holds while it runs; None if another holds it.
    pub(super) fn lock(&self) -> io::Result<Option<File>> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(0o600);
        let mut file = options.open(self.path.join("LOCK"))?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => return Ok(None),
            Err(error) => return Err(error.into()),
        }
        if let Some(own) = Process::own() {
            file.set_len(0)?;
            writeln!(file, "{} {}", own.pid.as_raw_nonzero(), own.started)?;
        }
        Ok(Some(file))
    }

    /// Whether a shim runs. An error says nothing about that.
    pub(crate) fn is_locked(&self) -> io::Result<bool> {
        use io::ErrorKind::{NotADirectory, NotFound};
        let file = match File::open(self.path.join("LOCK")) {
            Err(error) if matches!(error.kind(), NotFound | NotADirectory) => return Ok(false),
            file => file?,
        };
        match flock(&file, FlockOperation::NonBlockingLockShared) {
            Ok(()) => Ok(false),
            Err(rustix::io::Errno::WOULDBLOCK) => Ok(true),
            Err(error) => Err(error.into()),
        }
    }

    /// Kills a shim that does not listen: its process, if that is still the one that has the lock.
    pub(crate) fn kill_shim(&self) {
        let text = fs::read_to_string(self.path.join("LOCK")).unwrap_or_default();
        let mut words = text.split_whitespace();
        let pid = words.next().and_then(|pid| pid.parse().ok()).and_then(Pid::from_raw);
        let started = words.next().and_then(|started| started.parse().ok());
        let process = pid.and_then(Process::look);
        let process = process.filter(|process| Some(process.started) == started);
        if let Some(process) = process
            && matches!(self.is_locked(), Ok(true))
        {
            process.signal(Signal::KILL);
        }
    }

    /// Tells the shim something, if one listens.
    pub(crate) fn tell(&self, word: &str) -> io::Result<()> {
        let flags = OFlags::WRONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
        match rustix::fs::open(self.control(), flags, Mode::empty()) {
            Ok(pipe) => match File::from(pipe).write_all(format!("{word}\n").as_bytes()) {
                // It has been told so often, and not listened, that no more of it goes in.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(()),
                told => told,
            },
            // Nobody reads at the other end.
            Err(rustix::io::Errno::NXIO | rustix::io::Errno::NOENT) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Writes the plan.
    pub(crate) fn put_plan(&self, plan: &Plan) -> io::Result<()> {
        self.put("plan", &minicbor::to_vec(plan).expect("writing to memory does not fail"))
    }

    /// The plan, if there is one.
    pub(crate) fn plan(&self) -> io::Result<Option<Plan>> {
        self.get("plan", |bytes| minicbor::decode(bytes))
    }

    /// Writes the status.
    pub(super) fn put_status(&self, status: &Status) -> io::Result<()> {
        self.put("status", &minicbor::to_vec(status).expect("writing to memory does not fail"))
    }

    /// The status that a shim wrote last.
    pub(crate) fn status(&self) -> io::Result<Option<Status>> {
        self.get("status", |bytes| minicbor::decode(bytes))
    }

    /// Writes a script where it can be run.
    pub(super) fn put_program(
        &self,
        name: &str,
        text: &[u8],
        owner: Option<(u32, u32)>,
    ) -> io::Result<PathBuf> {
        let path = self.path.join("programs").join(name);
        let begun = self.path.join("programs").join(".begun");
        let mut options = OpenOptions::new();
        let mut file = options.write(true).create(true).truncate(true).mode(0o700).open(&begun)?;
        file.write_all(text)?;
        file.set_permissions(Permissions::from_mode(0o500))?;
        if let Some((uid, gid)) = owner {
            std::os::unix::fs::fchown(&file, Some(uid), Some(gid))?;
        }
        drop(file);
        fs::rename(begun, &path)?;
        Ok(path)
    }

    /// Gives the programs' folder to whom they run as.
    pub(super) fn give_home(&self, uid: u32, gid: u32) -> io::Result<()> {
        std::os::unix::fs::chown(self.home(), Some(uid), Some(gid))
    }

    fn put(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let begun = self.path.join(format!("{name}.tmp"));
        let mut options = OpenOptions::new();
        let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&begun)?;
        file.write_all(bytes)?;
        drop(file);
        fs::rename(begun, self.path.join(name))
    }

    fn get<T>(
        &self,
        name: &str,
        read: impl FnOnce(&[u8]) -> Result<T, minicbor::decode::Error>,
    ) -> io::Result<Option<T>> {
        let mut bytes = Vec::new();
        match File::open(self.path.join(name)) {
            Ok(mut file) => file.read_to_end(&mut bytes)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let wrong = |error| io::Error::new(io::ErrorKind::InvalidData, format!("{name}: {error}"));
        read(&bytes).map(Some).map_err(wrong)
    }
}

/// Makes a folder that others may pass through and not list, and those that it lies in. One that is
/// there already stays as it is.
pub(super) fn make_open(path: &Path) -> io::Result<()> {
    let missing: Vec<&Path> = path.ancestors().take_while(|path| !path.exists()).collect();
    for path in missing.into_iter().rev().filter(|path| *path != Path::new("")) {
        match DirBuilder::new().mode(0o711).create(path) {
            // Somebody was faster.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => continue,
            made => made?,
        }
        // Whatever mask we were started with.
        fs::set_permissions(path, Permissions::from_mode(0o711))?;
    }
    Ok(())
}
