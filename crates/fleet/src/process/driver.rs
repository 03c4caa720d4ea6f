//! The driver whose instances are processes: a folder and a shim each.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};

use rustix::fs::{FlockOperation, flock};
use rustix::process::geteuid;

use super::folder::{Folder, make_open};
use super::logbook::{Cursor, Line, Logbook, Wanted};
use super::plan::{MARK, Plan};
use super::{tree, user};
use crate::driver::{Driver, Sight, Stop};
use crate::id::InstanceId;
use crate::unit::Signal;

/// Instances as processes of this machine.
#[derive(Debug)]
pub struct ProcessDriver {
    folder: PathBuf,
    user: Option<String>,
    allow_root: bool,
    /// The shims that this process has made, to be asked how they ended.
    shims: Mutex<Vec<Child>>,
    /// Held as long as this is: nobody else looks after the same instances.
    _lock: File,
}

/// Why instances cannot be kept where they should be.
#[derive(Debug, thiserror::Error)]
pub enum BadPlace {
    /// Another process keeps its own there.
    #[error("another service keeps its instances in {0}")]
    Taken(PathBuf),
    /// The disk refuses.
    #[error("cannot keep instances in {0}: {1}")]
    Disk(PathBuf, io::Error),
}

impl ProcessDriver {
    /// Keeps instances in `folder`, which is made if it is missing. Where we are root, they run as
    /// `user` unless their units name another; `allow_root` lets those name root.
    ///
    /// # Errors
    /// If the folder is in use, or cannot be made.
    pub fn open(folder: &Path, user: Option<String>, allow_root: bool) -> Result<Self, BadPlace> {
        let disk = |error| BadPlace::Disk(folder.to_owned(), error);
        make_open(folder).map_err(disk)?;
        let folder = fs::canonicalize(folder).map_err(disk)?;
        let mut lock = File::options();
        let lock = lock.write(true).create(true).truncate(false).mode(0o600);
        let lock = lock.open(folder.join("LOCK")).map_err(disk)?;
        // Whoever may open it may lock it, and so keep us from starting.
        lock.set_permissions(fs::Permissions::from_mode(0o600)).map_err(disk)?;
        if flock(&lock, FlockOperation::NonBlockingLockExclusive).is_err() {
            return Err(BadPlace::Taken(folder));
        }
        // Only root can run programs as others.
        let user = user.filter(|_| geteuid().is_root());
        Ok(Self { folder, user, allow_root, shims: Mutex::default(), _lock: lock })
    }

    /// Checks that whoever instances run as can get to them. Where nobody launches any, it need not
    /// be so.
    fn check_user(&self) -> io::Result<()> {
        let Some(name) = &self.user else { return Ok(()) };
        let user = user::find(name)?.ok_or_else(|| {
            io::Error::other(format!("there is no user {name}: name one with --instances-user"))
        })?;
        let groups = user::groups()?.into_iter().filter(|group| group.has(&user.name));
        let groups = groups.map(|group| group.gid).chain([user.gid]).collect::<Vec<_>>();
        match closed(&self.folder, user.uid, &groups) {
            None => Ok(()),
            Some(closed) => Err(io::Error::other(format!(
                "{name} cannot reach {}, since {} is closed to others: name another folder with \
                 --instances-dir, or another user with --instances-user",
                self.folder.display(),
                closed.display()
            ))),
        }
    }

    fn folder(&self, id: InstanceId) -> Folder {
        Folder::new(self.folder.join(id.to_string()))
    }

    /// Asks shims that have ended how they did, so that the system forgets them.
    fn reap(&self) {
        let mut shims = self.shims.lock().unwrap_or_else(PoisonError::into_inner);
        shims.retain_mut(|shim| matches!(shim.try_wait(), Ok(None)));
    }
}

impl Driver for ProcessDriver {
    fn start(&self, id: InstanceId, plan: &Plan) -> io::Result<()> {
        self.check_user()?;
        let folder = self.folder(id);
        folder.make()?;
        if folder.is_locked()? {
            return Ok(());
        }
        let (user, allow_root) = (self.user.clone(), self.allow_root);
        folder.put_plan(&Plan { user, allow_root, ..plan.clone() })?;
        // Whatever name this program has by now: it is the one that runs.
        let mut shim = Command::new("/proc/self/exe");
        let shim = shim
            .arg0("tidemill")
            .arg("shim")
            .arg(folder.path())
            .env_clear()
            // Whoever looks for what is left finds it also before it holds its lock.
            .env(MARK, &plan.mark)
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(folder.complaints()?)
            .spawn()?;
        self.shims.lock().unwrap_or_else(PoisonError::into_inner).push(shim);
        Ok(())
    }

    fn look(&self, id: InstanceId) -> Sight {
        self.reap();
        let folder = self.folder(id);
        // In this order: a shim writes its last status before it lets go of the lock.
        let Ok(locked) = folder.is_locked() else { return Sight::Unseen };
        let (status, plan) = (understood(folder.status()), understood(folder.plan()));
        let (Ok(status), Ok(plan)) = (status, plan) else { return Sight::Unseen };
        let planned = plan.map(|plan| plan.boot);
        match status {
            status if !locked => Sight::Gone(status),
            Some(status) if Some(status.boot) != planned => Sight::Starting,
            Some(status) if status.up => Sight::Up(status),
            Some(status) => Sight::Stopping(status),
            None => Sight::Starting,
        }
    }

    fn stop(&self, id: InstanceId, how: Stop) -> io::Result<()> {
        let folder = self.folder(id);
        match how {
            Stop::Ask => folder.tell("stop"),
            Stop::Abrupt => folder.tell("kill"),
            Stop::Forced => {
                folder.kill_shim();
                self.sweep(id).map(|_| ())
            }
        }
    }

    fn sweep(&self, id: InstanceId) -> io::Result<bool> {
        let folder = self.folder(id);
        // Without a plan nothing of it was ever started.
        let Some(plan) = understood(folder.plan())? else { return Ok(false) };
        let status = understood(folder.status())?;
        if status.is_some_and(|status| status.boot == plan.boot && status.ended) {
            return Ok(false);
        }
        let left = tree::marked(&plan.marking())?;
        for process in &left {
            process.signal(Signal::KILL);
        }
        Ok(!left.is_empty())
    }

    fn remove(&self, id: InstanceId) -> io::Result<()> {
        self.folder(id).remove()
    }

    fn all(&self) -> io::Result<Vec<InstanceId>> {
        let entries = fs::read_dir(&self.folder)?.collect::<io::Result<Vec<_>>>()?;
        Ok(entries.iter().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect())
    }

    fn lines(
        &self,
        id: InstanceId,
        cursor: Cursor,
        wanted: Wanted,
        most: usize,
    ) -> io::Result<(Vec<Line>, Cursor)> {
        Logbook::read(&self.folder(id).log(), cursor, wanted, most)
    }

    fn last_lines(
        &self,
        id: InstanceId,
        wanted: Wanted,
        most: usize,
    ) -> io::Result<(Vec<Line>, Cursor)> {
        Logbook::last(&self.folder(id).log(), wanted, most)
    }

    fn told(&self, id: InstanceId) -> io::Result<Vec<(String, String)>> {
        Ok(self.folder(id).plan()?.map(|plan| plan.environment).unwrap_or_default())
    }

    fn end(&self, id: InstanceId) -> io::Result<Cursor> {
        Logbook::end(&self.folder(id).log())
    }

    fn tail(&self, id: InstanceId, most: usize) -> io::Result<Vec<u8>> {
        Logbook::tail(&self.folder(id).log(), most)
    }
}

/// What was read, if it can be understood: what cannot be stays so, and is as good as nothing.
fn understood<T>(read: io::Result<Option<T>>) -> io::Result<Option<T>> {
    match read {
        Err(error) if error.kind() == io::ErrorKind::InvalidData => Ok(None),
        read => read,
    }
}

/// The folder on the way to `folder` that a user with these groups cannot pass through. What we
/// made is opened to all who pass.
fn closed(folder: &Path, uid: u32, groups: &[u32]) -> Option<PathBuf> {
    let passes = |path: &Path| {
        let Ok(found) = fs::metadata(path) else { return false };
        let bit = match (found.uid() == uid, groups.contains(&found.gid())) {
            (true, _) => 0o100,
            (false, true) => 0o010,
            (false, false) => 0o001,
        };
        uid == 0 || found.mode() & bit != 0
    };
    let shut = folder.ancestors().find(|path| !passes(path))?;
    // The data folder is ours: what is in it is closed by itself.
    let parent = folder.parent().filter(|parent| *parent == shut && is_ours(parent));
    if let Some(parent) = parent {
        let mode = fs::metadata(parent).ok()?.permissions().mode() | 0o011;
        fs::set_permissions(parent, fs::Permissions::from_mode(mode)).ok()?;
        return folder.ancestors().find(|path| !passes(path)).map(Path::to_owned);
    }
    Some(shut.to_owned())
}

/// Whether a folder is a data folder: it holds the journals.
fn is_ours(folder: &Path) -> bool {
    folder.join("system").is_dir() && folder.join("shard-0000").is_dir()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::plan::Status;

    #[test]
    fn nobody_else_can_open_what_keeps_a_second_service_out() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("LOCK");
        // As an older version left it.
        fs::write(&path, "").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        for _ in 0..2 {
            let driver = ProcessDriver::open(place.path(), None, false).unwrap();
            assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
            drop(driver);
            fs::remove_file(&path).unwrap();
        }
    }

    #[test]
    fn whoever_is_in_a_folders_group_passes_as_its_group_may() {
        let place = tempfile::tempdir().unwrap();
        let closes = |mode, groups: &[u32]| {
            fs::set_permissions(place.path(), fs::Permissions::from_mode(mode)).unwrap();
            closed(place.path(), u32::MAX - 1, groups).as_deref() == Some(place.path())
        };
        let own = fs::metadata(place.path()).unwrap().gid();
        assert!(closes(0o710, &[own + 1]) && !closes(0o711, &[own + 1]));
        assert!(!closes(0o710, &[own + 1, own]) && closes(0o701, &[own + 1, own]));
    }

    #[test]
    fn a_place_that_cannot_be_listed_is_not_an_empty_one() {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join("instances");
        let driver = ProcessDriver::open(&folder, None, false).unwrap();
        driver.folder(InstanceId::from_u64(7)).make().unwrap();
        assert_eq!(driver.all().unwrap(), [InstanceId::from_u64(7)]);
        fs::rename(&folder, place.path().join("elsewhere")).unwrap();
        assert!(driver.all().is_err());
    }

    #[test]
    fn what_cannot_be_looked_at_counts_neither_as_gone_nor_as_running() {
        let place = tempfile::tempdir().unwrap();
        let driver = ProcessDriver::open(place.path(), None, false).unwrap();
        let id = InstanceId::from_u64(7);
        assert_eq!(driver.look(id), Sight::Gone(None));
        let path = driver.folder(id).path().to_owned();
        driver.folder(id).make().unwrap();
        // A link to itself: nobody can open it.
        std::os::unix::fs::symlink("LOCK", path.join("LOCK")).unwrap();
        assert_eq!(driver.look(id), Sight::Unseen);
        assert!(driver.start(id, &Plan::default()).is_err());
        fs::remove_file(path.join("LOCK")).unwrap();
        driver.folder(id).put_status(&Status::default()).unwrap();
        assert_eq!(driver.look(id), Sight::Gone(Some(Status::default())));
        // What nobody understands is as good as nothing.
        fs::write(path.join("status"), "x").unwrap();
        assert_eq!(driver.look(id), Sight::Gone(None));
    }

    #[test]
    fn what_a_shim_left_behind_is_looked_for_unless_it_said_that_nothing_was() {
        let place = tempfile::tempdir().unwrap();
        let driver = ProcessDriver::open(place.path(), None, false).unwrap();
        let id = InstanceId::from_u64(8);
        assert!(!driver.sweep(id).unwrap());
        let folder = driver.folder(id);
        folder.make().unwrap();
        let mark = format!("of-{}", rustix::process::getpid().as_raw_nonzero());
        let plan = Plan { boot: 2, mark, ..Plan::default() };
        folder.put_plan(&plan).unwrap();
        let mut left = Command::new("sleep");
        left.arg("1000").env(MARK, &plan.mark);
        let mut left = left.spawn().unwrap();
        folder.put_status(&Status { boot: 2, ended: true, ..Status::default() }).unwrap();
        assert!(!driver.sweep(id).unwrap());
        // That was said of the start before.
        folder.put_status(&Status { boot: 1, ended: true, ..Status::default() }).unwrap();
        assert!(driver.sweep(id).unwrap());
        left.wait().unwrap();
        assert!(!driver.sweep(id).unwrap());
    }
}
