//! What an instance stands on: something that starts, looks at and stops what it runs.

use std::io;

use rustix::io::Errno;

use crate::id::InstanceId;
use crate::process::{Cursor, Line, Plan, Status, Wanted};

/// What instances stand on. Its calls block, for milliseconds.
pub trait Driver: Send + Sync {
    /// Starts what the plan says, if it does not run already. Returns before it runs.
    ///
    /// # Errors
    /// If it cannot be.
    fn start(&self, id: InstanceId, plan: &Plan) -> io::Result<()>;

    /// How it is.
    fn look(&self, id: InstanceId) -> Sight;

    /// Asks it to stop.
    ///
    /// # Errors
    /// If it cannot be asked.
    fn stop(&self, id: InstanceId, how: Stop) -> io::Result<()>;

    /// Kills what is left of it after whoever should have stopped that is gone. Says whether
    /// anything was left; nothing is once this says so.
    ///
    /// # Errors
    /// If that cannot be told.
    fn sweep(&self, id: InstanceId) -> io::Result<bool>;

    /// Forgets all that there is of it; it does not run.
    ///
    /// # Errors
    /// If it cannot be.
    fn remove(&self, id: InstanceId) -> io::Result<()>;

    /// Every instance of which there is something.
    ///
    /// # Errors
    /// If that cannot be told: there may be some.
    fn all(&self) -> io::Result<Vec<InstanceId>>;

    /// What it printed after `cursor`, at most `most` lines, and where to go on.
    ///
    /// # Errors
    /// If it cannot be read.
    fn lines(
        &self,
        id: InstanceId,
        cursor: Cursor,
        wanted: Wanted,
        most: usize,
    ) -> io::Result<(Vec<Line>, Cursor)>;

    /// The last lines that it printed, at most `most`, and where to go on.
    ///
    /// # Errors
    /// If they cannot be read.
    fn last_lines(
        &self,
        id: InstanceId,
        wanted: Wanted,
        most: usize,
    ) -> io::Result<(Vec<Line>, Cursor)>;

    /// The variables that its programs were started with last.
    ///
    /// # Errors
    /// If they cannot be read.
    fn told(&self, id: InstanceId) -> io::Result<Vec<(String, String)>>;

    /// Where what it prints next will be.
    ///
    /// # Errors
    /// If that cannot be told.
    fn end(&self, id: InstanceId) -> io::Result<Cursor>;

    /// What it printed last, at most so many bytes.
    ///
    /// # Errors
    /// If it cannot be read.
    fn tail(&self, id: InstanceId, most: usize) -> io::Result<Vec<u8>>;
}

/// Whether what failed may do well a little later, because the machine is short of something now.
pub(crate) fn is_shortage(error: &io::Error) -> bool {
    let short = [
        Errno::MFILE,
        Errno::NFILE,
        Errno::NOMEM,
        Errno::NOSPC,
        Errno::DQUOT,
        Errno::AGAIN,
        Errno::INTR,
    ];
    let number = error.raw_os_error();
    short.iter().any(|errno| Some(errno.raw_os_error()) == number)
}

/// How to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// Each program is asked, and killed after its time.
    Ask,
    /// All are killed.
    Abrupt,
    /// Who should do that does not: all are killed without it.
    Forced,
}

/// How what an instance runs is seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sight {
    /// Nothing of it runs. What it said last, if anything.
    Gone(Option<Status>),
    /// It is there, and has not said yet that it is up.
    Starting,
    /// It is up.
    Up(Status),
    /// It is there, and was asked to stop.
    Stopping(Status),
    /// Nobody can tell just now, as when no file can be opened.
    Unseen,
}
