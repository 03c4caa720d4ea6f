//! Instances as processes of this machine.
//!
//! Each has a *shim*: this very program, in a session of its own, which outlives the server and is
//! the parent of all that the instance runs. It reads a plan, runs units, writes a log and a
//! status, and listens to a pipe. The server finds a shim again by the lock that it holds.
//!
//! Only what is here touches the files of instances, which lie in a folder of their own.

mod driver;
mod exec;
mod folder;
mod logbook;
mod plan;
mod shim;
mod supervise;
mod tree;
mod user;

pub use driver::{BadPlace, ProcessDriver};
pub use exec::{ExecError, exec};
pub use folder::Folder;
pub use logbook::{Cursor, Line, Stream, Wanted};
pub use plan::{Plan, Status, UnitStatus};
pub use shim::{ShimError, run};
