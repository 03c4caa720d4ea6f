//! The shim: the parent of all that an instance runs, from its start to its stop.
//!
//! One thread, one loop: a child has ended, somebody says something, time has passed. Whatever it
//! was, the crew is brought up to date, and then its status is written.

mod crew;
mod launch;
mod pipes;
mod watch;

use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustix::process::{getpid, set_child_subreaper, setsid};
use tidemill_base::{Chance, Clock};
use tokio::net::unix::pipe;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::sleep;

use self::crew::Crew;
use super::folder::Folder;
use super::logbook::{Logbook, Stream};
use super::plan::{Plan, Status};
use super::tree;
use crate::unit::Signal;

/// Why a shim ends badly.
#[derive(Debug, thiserror::Error)]
pub enum ShimError {
    /// The instance has a shim already.
    #[error("the instance has a shim already")]
    Locked,
    /// There is nothing to run.
    #[error("there is no plan in the folder")]
    NoPlan,
    /// The system refuses.
    #[error("{0}: {1}")]
    System(&'static str, io::Error),
}

/// What the shim and those who read what its programs print share.
#[derive(Clone)]
struct Pen {
    log: Arc<Mutex<Logbook>>,
    clock: Clock,
}

impl Pen {
    fn write(&self, stream: Stream, goes_on: bool, unit: &str, text: &[u8]) {
        let mut log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        log.write(self.clock.now(), stream, goes_on, unit, text);
    }

    fn say(&self, unit: &str, text: &str) {
        self.write(Stream::Own, false, unit, text.as_bytes());
    }
}

/// What the shim says of itself is said by this.
const SHIM: &str = "instance";
/// How long another may hold the lock who only looks whether it is held.
const LOOKS: u32 = 100;

/// Runs the instance in `folder` until it is told to stop.
///
/// # Errors
/// If another shim runs it, or the system refuses what a shim needs.
pub fn run(folder: &Path) -> Result<(), ShimError> {
    // A shell that started us by hand has made us the leader of a group already.
    let _ = setsid();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| ShimError::System("a runtime", error))?;
    tokio::task::LocalSet::new().block_on(&runtime, serve(&Folder::new(folder)))
}

async fn serve(folder: &Folder) -> Result<(), ShimError> {
    let failed = |what| move |error: io::Error| ShimError::System(what, error);
    let lock = lock(folder).await?;
    let plan = folder.plan().map_err(failed("the plan"))?.ok_or(ShimError::NoPlan)?;
    // Two may have been made for one start, and the other may have done it all meanwhile.
    let is_over = |status: Status| status.boot == plan.boot && status.ended;
    if folder.status().ok().flatten().is_some_and(is_over) {
        return Ok(());
    }
    let subreaper = set_child_subreaper(Some(getpid()));
    subreaper.map_err(|error| ShimError::System("becoming a subreaper", error.into()))?;
    let clock = Clock::system();
    let log = Logbook::open(&folder.log(), plan.boot).map_err(failed("the log"))?;
    let pen = Pen { log: Arc::new(Mutex::new(log)), clock: clock.clone() };
    // The other end is held too, so that it never looks closed.
    let control = pipe::OpenOptions::new().read_write(true).open_receiver(folder.control());
    let mut control = Words::new(control.map_err(failed("the control pipe"))?);
    let on = |kind| signal(kind).map_err(failed("listening for signals"));
    let (mut child, mut terminate) = (on(SignalKind::child())?, on(SignalKind::terminate())?);
    let mut interrupt = on(SignalKind::interrupt())?;
    clear_remains(&plan, &pen).await;
    pen.say(SHIM, &format!("start {} of {}", plan.boot, plan.id));
    let boot = plan.boot;
    let crew = Crew::new(folder.clone(), plan, pen.clone(), clock, Chance::system());
    let mut crew = match crew {
        Ok(crew) => crew,
        Err(why) => {
            pen.say(SHIM, &why);
            let failure = Some(why);
            let status = Status { boot, failure, ended: true, ..Status::default() };
            return folder.put_status(&status).map_err(failed("the status"));
        }
    };
    crew.begin();
    while !crew.is_done() {
        let pause = crew.settle();
        crew.publish();
        if crew.is_done() {
            break;
        }
        tokio::select! {
            _ = child.recv() => {}
            _ = terminate.recv() => crew.stop(),
            _ = interrupt.recv() => crew.stop(),
            word = control.next() => match word.as_str() {
                "stop" => crew.stop(),
                "kill" => crew.kill(),
                other => pen.say(SHIM, &format!("{other:?} is no word for a shim")),
            },
            () = sleep(pause) => {}
        }
    }
    crew.hear_out().await;
    pen.say(SHIM, "stopped");
    crew.publish();
    drop(lock);
    Ok(())
}

async fn lock(folder: &Folder) -> Result<std::fs::File, ShimError> {
    for _ in 0..LOOKS {
        let lock = folder.lock().map_err(|error| ShimError::System("the lock", error))?;
        if let Some(lock) = lock {
            return Ok(lock);
        }
        sleep(Duration::from_millis(10)).await;
    }
    Err(ShimError::Locked)
}

/// Kills what an earlier shim left behind that was killed itself.
async fn clear_remains(plan: &Plan, pen: &Pen) {
    let mark = plan.marking();
    loop {
        let Ok(remains) = tree::marked(&mark) else {
            // No file can be opened just now.
            sleep(Duration::from_secs(1)).await;
            continue;
        };
        if remains.is_empty() {
            return;
        }
        for process in &remains {
            pen.say(SHIM, &format!("killing {}, which an earlier start left behind", process.name));
            process.signal(Signal::KILL);
        }
        sleep(Duration::from_millis(20)).await;
    }
}

/// The words that come through the control pipe, a line each.
struct Words {
    pipe: pipe::Receiver,
    begun: Vec<u8>,
}

impl Words {
    fn new(pipe: pipe::Receiver) -> Self {
        Self { pipe, begun: Vec::new() }
    }

    /// The next word. What it has read is kept when nobody waits for the rest.
    async fn next(&mut self) -> String {
        loop {
            if let Some(end) = self.begun.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.begun.drain(..=end).collect();
                return String::from_utf8_lossy(&line).trim().to_owned();
            }
            // Nobody but us writes here, and words are short.
            self.begun.truncate(64);
            if self.pipe.readable().await.is_err() {
                std::future::pending::<()>().await;
            }
            let mut bytes = [0; 64];
            if let Ok(count) = self.pipe.try_read(&mut bytes) {
                self.begun.extend_from_slice(&bytes[..count]);
            }
        }
    }
}
