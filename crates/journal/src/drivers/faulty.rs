//! A driver that fails on purpose: each fault has a name, and happens at a known operation.

use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use tidemill_base::ByteSize;

use crate::SegmentId;
use crate::driver::{Driver, DriverError, Epoch};

/// What a driver is asked to do, for saying which one fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Operation {
    /// [`Driver::create`].
    Create,
    /// [`Driver::append`].
    Append,
    /// [`Driver::sync`].
    Sync,
    /// [`Driver::read`].
    Read,
    /// [`Driver::cut`].
    Cut,
    /// [`Driver::discard`].
    Discard,
    /// [`Driver::put`].
    Put,
    /// [`Driver::delete`].
    Delete,
}

/// How an operation fails.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The store answers with an error and has done nothing.
    Error,
    /// No space is left; nothing was done.
    Full,
    /// An append writes its first so many bytes, and then fails.
    Torn(ByteSize),
    /// A read succeeds, with one bit of the byte at this index changed.
    Flip(usize),
    /// The operation waits until [`Faults::resume`], and then succeeds.
    Stall,
    /// The code below panics.
    Panic,
}

/// The plan of a [`FaultyDriver`]: shared by its clones, changed while the driver works.
#[derive(Clone, Debug, Default)]
pub struct Faults(Arc<(Mutex<Plan>, Condvar)>);

#[derive(Debug, Default)]
struct Plan {
    faults: Vec<Planned>,
    /// How many more changes succeed before all fail.
    life: Option<u64>,
    changes: u64,
    /// How much space there is, in place of what the driver below says.
    free: Option<ByteSize>,
    stalled: usize,
    resumed: bool,
}

#[derive(Debug)]
struct Planned {
    operation: Operation,
    /// How many more succeed first.
    after: u64,
    fault: Fault,
}

impl Faults {
    /// No faults yet.
    pub fn none() -> Self {
        Self::default()
    }

    /// Lets the next `after` operations of this kind succeed, and the one that follows fail.
    pub fn plan(&self, operation: Operation, after: u64, fault: Fault) {
        self.lock().faults.push(Planned { operation, after, fault });
    }

    /// Lets the next `changes` changes (all but reads) succeed and every later one fail, as if the
    /// power had gone there.
    pub fn die_after(&self, changes: u64) {
        self.lock().life = Some(changes);
    }

    /// Has the driver say that so much space is left; `None` to have it tell the truth.
    pub fn set_free(&self, free: Option<ByteSize>) {
        self.lock().free = free;
    }

    /// How many changes (all but reads) were asked for so far.
    pub fn changes(&self) -> u64 {
        self.lock().changes
    }

    /// Waits until an operation has stalled.
    pub fn wait_stalled(&self) {
        let plan = self.lock();
        let waited = self.0.1.wait_while(plan, |plan| plan.stalled == 0);
        drop(waited.unwrap_or_else(PoisonError::into_inner));
    }

    /// Lets everything go on that stalled, and nothing stall any more.
    pub fn resume(&self) {
        self.lock().resumed = true;
        self.0.1.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, Plan> {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts an operation, and says whether it is one that fails.
    fn next(&self, operation: Operation) -> Option<Fault> {
        let mut plan = self.lock();
        if operation != Operation::Read {
            plan.changes += 1;
            match &mut plan.life {
                Some(0) => return Some(Fault::Error),
                Some(life) => *life -= 1,
                None => {}
            }
        }
        let mut due = None;
        for (index, planned) in plan.faults.iter_mut().enumerate() {
            if planned.operation == operation {
                match planned.after {
                    0 => due = due.or(Some(index)),
                    _ => planned.after -= 1,
                }
            }
        }
        due.map(|index| plan.faults.remove(index).fault)
    }

    /// Fails, stalls, or lets pass.
    fn meet(&self, operation: Operation) -> Result<Option<Fault>, DriverError> {
        let fail =
            |kind: io::ErrorKind| Err(DriverError::io(format!("{operation:?}"), kind.into()));
        match self.next(operation) {
            Some(Fault::Error) => fail(io::ErrorKind::Other),
            Some(Fault::Full) => fail(io::ErrorKind::StorageFull),
            Some(Fault::Panic) => panic!("a planned panic in {operation:?}"),
            Some(Fault::Stall) => {
                self.stall();
                Ok(None)
            }
            fault => Ok(fault),
        }
    }

    fn stall(&self) {
        let mut plan = self.lock();
        plan.stalled += 1;
        self.0.1.notify_all();
        let waited = self.0.1.wait_while(plan, |plan| !plan.resumed);
        waited.unwrap_or_else(PoisonError::into_inner).stalled -= 1;
    }
}

/// Another driver, and the faults it meets on the way there.
#[derive(Debug)]
pub struct FaultyDriver<D> {
    inner: D,
    faults: Faults,
}

impl<D: Driver> FaultyDriver<D> {
    /// Puts `faults` before `inner`.
    pub fn new(inner: D, faults: &Faults) -> Self {
        Self { inner, faults: faults.clone() }
    }
}

impl<D: Driver> Driver for FaultyDriver<D> {
    fn claim(&self) -> Result<Epoch, DriverError> {
        self.inner.claim()
    }

    fn release(&self) {
        self.inner.release();
    }

    fn segments(&self) -> Result<Vec<SegmentId>, DriverError> {
        self.inner.segments()
    }

    fn create(&self, id: SegmentId, size: ByteSize) -> Result<(), DriverError> {
        self.faults.meet(Operation::Create)?;
        self.inner.create(id, size)
    }

    fn append(&self, id: SegmentId, offset: u64, bytes: &[u8]) -> Result<(), DriverError> {
        if let Some(Fault::Torn(count)) = self.faults.meet(Operation::Append)? {
            let count = count.as_usize().min(bytes.len());
            self.inner.append(id, offset, &bytes[..count])?;
            return Err(DriverError::io("append", io::ErrorKind::WriteZero.into()));
        }
        self.inner.append(id, offset, bytes)
    }

    fn sync(&self) -> Result<(), DriverError> {
        self.faults.meet(Operation::Sync)?;
        self.inner.sync()
    }

    fn read(&self, id: SegmentId, offset: u64, bytes: &mut [u8]) -> Result<usize, DriverError> {
        let fault = self.faults.meet(Operation::Read)?;
        let count = self.inner.read(id, offset, bytes)?;
        if let Some(Fault::Flip(index)) = fault
            && let Some(byte) = bytes[..count].get_mut(index)
        {
            *byte ^= 1;
        }
        Ok(count)
    }

    fn cut(&self, id: SegmentId, offset: u64) -> Result<(), DriverError> {
        self.faults.meet(Operation::Cut)?;
        self.inner.cut(id, offset)
    }

    fn discard(&self, id: SegmentId) -> Result<(), DriverError> {
        self.faults.meet(Operation::Discard)?;
        self.inner.discard(id)
    }

    fn put(&self, name: &str, bytes: &[u8]) -> Result<(), DriverError> {
        self.faults.meet(Operation::Put)?;
        self.inner.put(name, bytes)
    }

    fn get(&self, name: &str) -> Result<Option<Vec<u8>>, DriverError> {
        self.inner.get(name)
    }

    fn blobs(&self) -> Result<Vec<String>, DriverError> {
        self.inner.blobs()
    }

    fn delete(&self, name: &str) -> Result<(), DriverError> {
        self.faults.meet(Operation::Delete)?;
        self.inner.delete(name)
    }

    fn used(&self) -> Result<ByteSize, DriverError> {
        self.inner.used()
    }

    fn free(&self) -> Result<Option<ByteSize>, DriverError> {
        let said = self.faults.lock().free;
        if said.is_some() { Ok(said) } else { self.inner.free() }
    }
}
