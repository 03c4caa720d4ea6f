//! A driver whose instances are words, for tests: it does at once what it is told.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard};

use crate::driver::{Driver, Sight, Stop};
use crate::id::InstanceId;
use crate::process::{Cursor, Line, Plan, Status, Wanted};

/// Instances that are words. Cloning shares them.
#[derive(Clone, Default)]
pub(crate) struct FakeDriver(Arc<Mutex<Fakes>>, Arc<Mutex<Option<Hook>>>);

#[derive(Default)]
struct Fakes {
    instances: BTreeMap<InstanceId, Fake>,
    /// What is said where something is to be started, if nothing can be.
    broken: Option<Broken>,
    /// How often instances have yet to be swept until nothing is left of them.
    left: BTreeMap<InstanceId, usize>,
    /// How often nobody can tell yet which instances there are.
    hidden: usize,
}

/// What happens while an instance is being started.
type Hook = Box<dyn FnOnce() + Send>;

type Broken = Box<dyn Fn() -> io::Error + Send>;

#[derive(Clone, Debug)]
struct Fake {
    runs: bool,
    status: Status,
}

impl FakeDriver {
    fn fakes(&self) -> MutexGuard<'_, Fakes> {
        self.0.lock().unwrap()
    }

    /// Nothing can be started any more.
    pub(crate) fn break_down(&self, why: impl Fn() -> io::Error + Send + 'static) {
        self.fakes().broken = Some(Box::new(why));
    }

    /// While the next instance is being started, this happens.
    pub(crate) fn meanwhile(&self, what: impl FnOnce() + Send + 'static) {
        *self.1.lock().unwrap() = Some(Box::new(what));
    }

    /// So often, nobody can tell which instances there are.
    pub(crate) fn hide(&self, times: usize) {
        self.fakes().hidden = times;
    }

    /// What was started no more can be again.
    pub(crate) fn repair(&self) {
        self.fakes().broken = None;
    }

    /// The shim of an instance is killed, and what it ran is swept only at the `times`th time.
    pub(crate) fn orphan(&self, id: InstanceId, times: usize) {
        self.crash(id);
        self.fakes().left.insert(id, times);
    }

    /// How often an instance has yet to be swept.
    pub(crate) fn left(&self, id: InstanceId) -> usize {
        self.fakes().left.get(&id).copied().unwrap_or_default()
    }

    /// The machine that an instance runs on goes down.
    pub(crate) fn crash(&self, id: InstanceId) {
        self.fakes().instances.get_mut(&id).unwrap().runs = false;
    }

    /// Which start of an instance runs.
    pub(crate) fn runs(&self, id: InstanceId) -> Option<u32> {
        let fakes = self.fakes();
        fakes.instances.get(&id).filter(|fake| fake.runs).map(|fake| fake.status.boot)
    }
}

impl Driver for FakeDriver {
    fn start(&self, id: InstanceId, plan: &Plan) -> io::Result<()> {
        let hook = self.1.lock().unwrap().take();
        if let Some(hook) = hook {
            hook();
        }
        let mut fakes = self.fakes();
        if let Some(why) = &fakes.broken {
            return Err(why());
        }
        let status = Status { boot: plan.boot, up: true, ..Status::default() };
        fakes.instances.insert(id, Fake { runs: true, status });
        Ok(())
    }

    fn look(&self, id: InstanceId) -> Sight {
        match self.fakes().instances.get(&id).cloned() {
            None => Sight::Gone(None),
            Some(Fake { runs: false, status }) => Sight::Gone(Some(status)),
            Some(Fake { status, .. }) => Sight::Up(status),
        }
    }

    fn stop(&self, id: InstanceId, _: Stop) -> io::Result<()> {
        self.crash(id);
        Ok(())
    }

    fn sweep(&self, id: InstanceId) -> io::Result<bool> {
        let mut fakes = self.fakes();
        let left = fakes.left.entry(id).or_default();
        *left = left.saturating_sub(1);
        Ok(*left > 0)
    }

    fn remove(&self, id: InstanceId) -> io::Result<()> {
        assert_eq!(self.left(id), 0, "what is left of an instance is swept before it is removed");
        self.fakes().instances.remove(&id);
        Ok(())
    }

    fn all(&self) -> io::Result<Vec<InstanceId>> {
        let mut fakes = self.fakes();
        if let Some(more) = fakes.hidden.checked_sub(1) {
            fakes.hidden = more;
            return Err(io::Error::other("nobody can look"));
        }
        Ok(fakes.instances.keys().copied().collect())
    }

    fn lines(
        &self,
        _: InstanceId,
        cursor: Cursor,
        _: Wanted,
        _: usize,
    ) -> io::Result<(Vec<Line>, Cursor)> {
        Ok((Vec::new(), cursor))
    }

    fn last_lines(&self, _: InstanceId, _: Wanted, _: usize) -> io::Result<(Vec<Line>, Cursor)> {
        Ok((Vec::new(), Cursor::default()))
    }

    fn told(&self, _: InstanceId) -> io::Result<Vec<(String, String)>> {
        Ok(Vec::new())
    }

    fn end(&self, _: InstanceId) -> io::Result<Cursor> {
        Ok(Cursor::default())
    }

    fn tail(&self, _: InstanceId, _: usize) -> io::Result<Vec<u8>> {
        Ok(Vec::new())
    }
}
