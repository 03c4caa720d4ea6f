//! The disk: it keeps what was synced, may lose, keep or tear whatever was not, and fails when its
//! plan says so. Everything that it is asked to change goes into the digest of the run.
//!
//! It promises what the journal's `Driver` asks for and nothing more. What a real disk does in
//! pieces can end in pieces here; where nothing orders two changes, either may be the one that
//! stays.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tidemill_base::ByteSize;
use tidemill_journal::{Driver, DriverError, Epoch, Operation, SegmentId};

use crate::dice::Dice;
use crate::digest::Digest;
use crate::pending::{Change, Keep, Pending, Write};
use crate::stage;

/// How many discarded segments wait to be used again.
const SPARES: usize = 2;

/// What goes wrong, once the fuse has burnt down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The power goes, in the middle of what is being done.
    Death,
    /// The operation fails and has done nothing.
    Error,
    /// No space is left.
    Full,
    /// A write stops half-way.
    Torn,
}

/// How the disk lies, to see whether anybody notices.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Break {
    /// Some syncs do nothing, and say that they did.
    SyncLies,
    /// A crash takes the last bytes that were synced, too.
    ForgetsSynced,
}

/// What holds the bytes, whoever writes.
#[derive(Clone, Debug)]
pub(crate) struct Disk(Arc<Mutex<Store>>);

#[derive(Debug)]
struct Store {
    dice: Dice,
    digest: Digest,
    broken: Option<Break>,
    epoch: u64,
    segments: BTreeMap<SegmentId, Vec<u8>>,
    spares: Vec<Vec<u8>>,
    blobs: BTreeMap<String, Vec<u8>>,
    pending: Pending,
    /// After how many changes more what goes wrong.
    fuse: Option<(u64, Fault)>,
    /// The power is gone.
    is_dead: bool,
    /// Something was refused, lost or torn since the last start.
    has_failed: bool,
    changes: u64,
}

/// The writer's seat at a disk: one a process.
#[derive(Debug)]
pub(crate) struct Seat {
    disk: Disk,
    epoch: AtomicU64,
}

impl Disk {
    pub(crate) fn new(dice: &Dice, broken: Option<Break>) -> Self {
        Self(Arc::new(Mutex::new(Store {
            dice: dice.fork(),
            digest: Digest::default(),
            broken,
            epoch: 0,
            segments: BTreeMap::new(),
            spares: Vec::new(),
            blobs: BTreeMap::new(),
            pending: Pending::default(),
            fuse: None,
            is_dead: false,
            has_failed: false,
            changes: 0,
        })))
    }

    pub(crate) fn seat(&self) -> Seat {
        Seat { disk: self.clone(), epoch: AtomicU64::new(0) }
    }

    /// Lets this go wrong after so many changes.
    pub(crate) fn light_fuse(&self, changes: u64, fault: Fault) {
        self.store().fuse = Some((changes, fault));
    }

    pub(crate) fn cut_fuse(&self) {
        self.store().fuse = None;
    }

    pub(crate) fn is_dead(&self) -> bool {
        self.store().is_dead
    }

    /// Whether anything was refused, lost or torn since the last start.
    pub(crate) fn has_failed(&self) -> bool {
        self.store().has_failed
    }

    /// The process is gone: whatever it still does comes to nothing.
    pub(crate) fn shut_out(&self) {
        self.store().epoch += 1;
    }

    /// Starts anew, after the power was gone if it was; keeps of what was not synced what `keep`
    /// says.
    pub(crate) fn restart(&self, keep: Keep) {
        let store = &mut *self.store();
        store.epoch += 1;
        store.is_dead = false;
        store.has_failed = false;
        store.fuse = None;
        let forgets = store.broken == Some(Break::ForgetsSynced);
        store.pending.crash(keep, &mut store.segments, &store.dice, forgets);
    }

    /// Of everything that was asked of it so far.
    pub(crate) fn digest(&self) -> Digest {
        self.store().digest
    }

    /// How many changes it was asked for.
    pub(crate) fn changes(&self) -> u64 {
        self.store().changes
    }

    fn store(&self) -> MutexGuard<'_, Store> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store {
    /// Burns the fuse; says what goes wrong now.
    fn burn(&mut self) -> Option<Fault> {
        self.changes += 1;
        let (left, fault) = self.fuse?;
        if left > 0 {
            self.fuse = Some((left - 1, fault));
            return None;
        }
        self.fuse = None;
        self.has_failed = true;
        self.is_dead |= fault == Fault::Death;
        Some(fault)
    }

    fn write(&mut self, id: SegmentId, offset: usize, bytes: &[u8]) -> Result<(), DriverError> {
        let segment = self.segments.get_mut(&id).ok_or_else(|| failed("no such segment"))?;
        let place = segment.get_mut(offset..offset + bytes.len());
        let place = place.ok_or_else(|| failed("past the end of a segment"))?;
        let old = place.to_vec();
        place.copy_from_slice(bytes);
        self.pending.wrote(Write { id, offset, old });
        Ok(())
    }

    fn sync(&mut self) {
        let lies = self.broken == Some(Break::SyncLies) && self.dice.once_in(4);
        if !lies {
            self.pending.synced();
        }
    }
}

impl Seat {
    /// The store, if this is still its writer and the power is there.
    fn open(&self, doing: &str) -> Result<MutexGuard<'_, Store>, DriverError> {
        let mut store = self.disk.store();
        let ours = self.epoch.load(Ordering::Relaxed);
        if store.is_dead {
            return Err(failed("the power is gone"));
        }
        if store.epoch != ours {
            return Err(DriverError::Fenced { ours: Epoch(ours), current: Epoch(store.epoch) });
        }
        store.digest.add(doing.as_bytes());
        Ok(store)
    }

    /// Does `work`, unless something goes wrong; where it does, `half` is what was done of it.
    fn change(
        &self,
        operation: Operation,
        work: impl FnOnce(&mut Store) -> Result<(), DriverError>,
        half: impl FnOnce(&mut Store) -> Result<(), DriverError>,
    ) -> Result<(), DriverError> {
        stage::pause(operation);
        {
            let store = &mut *self.open(&format!("{operation:?}"))?;
            match store.burn() {
                None => work(store)?,
                Some(fault @ (Fault::Death | Fault::Torn)) => {
                    half(store)?;
                    return Err(failed(&format!("{fault:?}")));
                }
                Some(Fault::Error) => return Err(failed("it failed")),
                Some(Fault::Full) => {
                    let full = std::io::ErrorKind::StorageFull;
                    return Err(DriverError::Io { doing: "write".into(), source: full.into() });
                }
            }
        }
        stage::pause(operation);
        Ok(())
    }
}

fn failed(what: &str) -> DriverError {
    DriverError::Io { doing: "the disk".into(), source: std::io::Error::other(what.to_owned()) }
}

fn in_memory(offset: u64) -> usize {
    usize::try_from(offset).expect("a segment fits in memory")
}

impl Driver for Seat {
    fn claim(&self) -> Result<Epoch, DriverError> {
        let mut store = self.disk.store();
        store.epoch += 1;
        self.epoch.store(store.epoch, Ordering::Relaxed);
        Ok(Epoch(store.epoch))
    }

    fn release(&self) {
        self.epoch.store(0, Ordering::Relaxed);
    }

    fn segments(&self) -> Result<Vec<SegmentId>, DriverError> {
        Ok(self.disk.store().segments.keys().copied().collect())
    }

    fn create(&self, id: SegmentId, size: ByteSize) -> Result<(), DriverError> {
        let create = |store: &mut Store| {
            stage::tell(|| format!("    disk: creates {id}"));
            let mut bytes = store.spares.pop().unwrap_or_default();
            bytes.resize(size.as_usize(), 0);
            store.segments.insert(id, bytes);
            store.pending.renamed(Change::Created(id));
            Ok(())
        };
        self.change(Operation::Create, create, create)
    }

    fn append(&self, id: SegmentId, offset: u64, bytes: &[u8]) -> Result<(), DriverError> {
        let at = in_memory(offset);
        let append = |store: &mut Store| {
            stage::tell(|| format!("    disk: writes {} to {id} at {offset}", bytes.len()));
            store.digest.add(&offset.to_le_bytes());
            store.digest.add(bytes);
            store.write(id, at, bytes)
        };
        let half = |store: &mut Store| {
            let some = store.dice.index(bytes.len() + 1);
            store.write(id, at, &bytes[..some])
        };
        self.change(Operation::Append, append, half)
    }

    fn sync(&self) -> Result<(), DriverError> {
        let sync = |store: &mut Store| {
            stage::tell(|| "    disk: syncs".into());
            store.sync();
            Ok(())
        };
        let done = self.change(Operation::Sync, sync, |_| Ok(()));
        if done.is_err() && !self.disk.is_dead() {
            // What a failed sync was for can be read as before, and no later one stores it.
            self.disk.store().pending.give_up();
        }
        done
    }

    fn read(&self, id: SegmentId, offset: u64, bytes: &mut [u8]) -> Result<usize, DriverError> {
        stage::pause(Operation::Read);
        let store = self.disk.store();
        let segment = store.segments.get(&id).ok_or_else(|| failed("no such segment"))?;
        let rest = segment.get(in_memory(offset)..).unwrap_or_default();
        let count = rest.len().min(bytes.len());
        bytes[..count].copy_from_slice(&rest[..count]);
        Ok(count)
    }

    fn cut(&self, id: SegmentId, offset: u64) -> Result<(), DriverError> {
        stage::tell(|| format!("    disk: cuts {id} at {offset}"));
        let cut = |store: &mut Store| store.cut(id, in_memory(offset), |_| true);
        let half = |store: &mut Store| {
            let dice = store.dice.clone();
            store.cut(id, in_memory(offset), |_| dice.once_in(2))
        };
        self.change(Operation::Cut, cut, half)
    }

    fn discard(&self, id: SegmentId) -> Result<(), DriverError> {
        let discard = |store: &mut Store| {
            stage::tell(|| format!("    disk: discards {id}"));
            let bytes = store.segments.remove(&id).ok_or_else(|| failed("no such segment"))?;
            store.pending.renamed(Change::Discarded(id, bytes.clone()));
            if store.spares.len() < SPARES {
                store.spares.push(bytes);
            }
            Ok(())
        };
        self.change(Operation::Discard, discard, discard)
    }

    fn put(&self, name: &str, bytes: &[u8]) -> Result<(), DriverError> {
        let put = |store: &mut Store| {
            stage::tell(|| format!("    disk: puts {name}"));
            store.digest.add(name.as_bytes());
            store.digest.add(bytes);
            store.blobs.insert(name.to_owned(), bytes.to_vec());
            Ok(())
        };
        let half = |store: &mut Store| {
            // All of it or nothing; but nobody was told which.
            if store.dice.once_in(2) { put(store) } else { Ok(()) }
        };
        self.change(Operation::Put, put, half)
    }

    fn get(&self, name: &str) -> Result<Option<Vec<u8>>, DriverError> {
        Ok(self.disk.store().blobs.get(name).cloned())
    }

    fn blobs(&self) -> Result<Vec<String>, DriverError> {
        Ok(self.disk.store().blobs.keys().cloned().collect())
    }

    fn delete(&self, name: &str) -> Result<(), DriverError> {
        let delete = |store: &mut Store| {
            store.blobs.remove(name);
            Ok(())
        };
        self.change(Operation::Delete, delete, delete)
    }

    fn used(&self) -> Result<ByteSize, DriverError> {
        Ok(ByteSize::bytes(0))
    }
}

impl Store {
    /// Zeros from `offset` on, of those sectors that `reached` says.
    fn cut(
        &mut self,
        id: SegmentId,
        offset: usize,
        reached: impl Fn(usize) -> bool,
    ) -> Result<(), DriverError> {
        let segment = self.segments.get_mut(&id).ok_or_else(|| failed("no such segment"))?;
        let mut at = offset.min(segment.len());
        while at < segment.len() {
            let until =
                ((at / crate::pending::SECTOR + 1) * crate::pending::SECTOR).min(segment.len());
            if reached(at) {
                segment[at..until].fill(0);
            }
            at = until;
        }
        self.pending.cut(id, offset);
        Ok(())
    }
}
