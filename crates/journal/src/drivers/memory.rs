//! A store in memory, which tests can crash: what was not synced is lost, or kept, or torn.
//!
//! Clones share the bytes, so a test keeps one, crashes it, and opens a journal on another.
//! Discarded segments are recycled with their bytes in them, as files are.

use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tidemill_base::{ByteSize, Chance};

use crate::driver::{Driver, DriverError, Epoch};
use crate::frame::in_memory;
use crate::{Position, SegmentId};

/// How many discarded segments wait to be used again.
const SPARES: usize = 2;
/// What a disk writes as a whole.
const SECTOR: usize = 512;

/// A store in memory. Clones share it, each with its own claim to be the writer.
#[derive(Debug, Default)]
pub struct MemoryDriver {
    store: Arc<Mutex<Store>>,
    /// The epoch that this clone claimed; 0 before it did.
    epoch: AtomicU64,
}

/// What a crash leaves of the bytes that were appended but not synced.
#[derive(Clone, Debug)]
pub enum Keep {
    /// Nothing: the machine died.
    Synced,
    /// Everything: only the process died.
    Written,
    /// The first so many bytes.
    First(ByteSize),
    /// Some sectors and not others, in no order, as a disk's cache loses them.
    Sectors(Chance),
}

#[derive(Debug, Default)]
struct Store {
    epoch: u64,
    segments: BTreeMap<SegmentId, Vec<u8>>,
    spares: Vec<Vec<u8>>,
    blobs: BTreeMap<String, Vec<u8>>,
    unsynced: Vec<Write>,
    /// Like `unsynced`, but no sync stores them any more, unless they are written again.
    given_up: Vec<Write>,
}

/// An append that was not synced, with what it wrote over.
#[derive(Debug)]
struct Write {
    id: SegmentId,
    offset: usize,
    old: Vec<u8>,
}

impl Write {
    /// Brings back what was there before, but for the first `keep` bytes.
    fn revert(&self, bytes: &mut [u8], keep: usize) {
        let keep = keep.min(self.old.len());
        let end = self.offset + self.old.len();
        bytes[self.offset + keep..end].copy_from_slice(&self.old[keep..]);
    }

    /// Brings back what was there before in some sectors.
    fn revert_sectors(&self, bytes: &mut [u8], chance: &Chance) {
        let end = self.offset + self.old.len();
        let mut at = self.offset;
        while at < end {
            let until = ((at / SECTOR + 1) * SECTOR).min(end);
            if chance.number().is_multiple_of(2) {
                let old = &self.old[at - self.offset..until - self.offset];
                bytes[at..until].copy_from_slice(old);
            }
            at = until;
        }
    }

    fn covers(&self, other: &Self) -> bool {
        let end = |write: &Self| write.offset + write.old.len();
        self.id == other.id && self.offset <= other.offset && end(other) <= end(self)
    }
}

impl Clone for MemoryDriver {
    fn clone(&self) -> Self {
        Self { store: Arc::clone(&self.store), epoch: AtomicU64::new(0) }
    }
}

impl MemoryDriver {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    /// Crashes: shuts out whoever writes now, and keeps of the unsynced bytes what `keep` says.
    pub fn crash(&self, keep: &Keep) {
        let mut store = self.store();
        store.epoch += 1;
        if matches!(keep, Keep::Written) {
            // The machine goes on, and may yet lose what was not synced.
            return;
        }
        let given_up = std::mem::take(&mut store.given_up);
        let writes = std::mem::take(&mut store.unsynced);
        let mut before: usize = writes.iter().map(|write| write.old.len()).sum();
        for write in writes.iter().rev() {
            before -= write.old.len();
            let Some(bytes) = store.segments.get_mut(&write.id) else { continue };
            match keep {
                Keep::Written => {}
                Keep::Synced => write.revert(bytes, 0),
                Keep::First(count) => write.revert(bytes, count.as_usize().saturating_sub(before)),
                Keep::Sectors(chance) => write.revert_sectors(bytes, chance),
            }
        }
        for write in given_up.iter().rev() {
            if let Some(bytes) = store.segments.get_mut(&write.id) {
                write.revert(bytes, 0);
            }
        }
    }

    /// What a failed sync does in a kernel: the bytes that it was for can be read as before, but
    /// no later sync stores them, and none says so.
    pub fn give_up_unsynced(&self) {
        let mut store = self.store();
        let mut writes = std::mem::take(&mut store.unsynced);
        store.given_up.append(&mut writes);
    }

    /// How many bytes were appended and not synced.
    pub fn unsynced(&self) -> ByteSize {
        let bytes: usize = self.store().unsynced.iter().map(|write| write.old.len()).sum();
        ByteSize::bytes(bytes as u64)
    }

    /// Changes one byte where it is stored, as a failing disk does. False if there is none there.
    pub fn flip(&self, at: Position, mask: u8) -> bool {
        let mut store = self.store();
        let Some((id, bytes)) = store.segments.range_mut(..=SegmentId::from_base(at)).next_back()
        else {
            return false;
        };
        let Some(byte) = bytes.get_mut(in_memory(at.as_u64() - id.base().as_u64())) else {
            return false;
        };
        *byte ^= mask;
        true
    }

    /// Changes one byte of a blob. False if there is none there.
    pub fn flip_blob(&self, name: &str, index: usize, mask: u8) -> bool {
        let mut store = self.store();
        let byte = store.blobs.get_mut(name).and_then(|blob| blob.get_mut(index));
        byte.map(|byte| *byte ^= mask).is_some()
    }

    /// Loses a whole segment, as a careless hand does. False if it does not exist.
    pub fn lose(&self, id: SegmentId) -> bool {
        self.store().segments.remove(&id).is_some()
    }

    /// A copy of everything as it is now, which goes its own way.
    #[must_use]
    pub fn fork(&self) -> Self {
        let store = self.store();
        let copy = Store {
            epoch: store.epoch,
            segments: store.segments.clone(),
            spares: store.spares.clone(),
            blobs: store.blobs.clone(),
            unsynced: Vec::new(),
            given_up: Vec::new(),
        };
        Self { store: Arc::new(Mutex::new(copy)), epoch: AtomicU64::new(0) }
    }

    fn store(&self) -> MutexGuard<'_, Store> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The store, if this clone is still its writer.
    fn as_writer(&self) -> Result<MutexGuard<'_, Store>, DriverError> {
        let (store, ours) = (self.store(), self.epoch.load(Ordering::Relaxed));
        if store.epoch != ours {
            return Err(DriverError::Fenced { ours: Epoch(ours), current: Epoch(store.epoch) });
        }
        Ok(store)
    }
}

fn missing(id: SegmentId) -> DriverError {
    DriverError::io(format!("segment {id}"), io::ErrorKind::NotFound.into())
}

impl Driver for MemoryDriver {
    fn claim(&self) -> Result<Epoch, DriverError> {
        let mut store = self.store();
        store.epoch += 1;
        self.epoch.store(store.epoch, Ordering::Relaxed);
        Ok(Epoch(store.epoch))
    }

    fn release(&self) {
        self.epoch.store(0, Ordering::Relaxed);
    }

    fn segments(&self) -> Result<Vec<SegmentId>, DriverError> {
        Ok(self.store().segments.keys().copied().collect())
    }

    fn create(&self, id: SegmentId, size: ByteSize) -> Result<(), DriverError> {
        let mut store = self.as_writer()?;
        let mut bytes = store.spares.pop().unwrap_or_default();
        bytes.resize(size.as_usize(), 0);
        store.segments.insert(id, bytes);
        Ok(())
    }

    fn append(&self, id: SegmentId, offset: u64, bytes: &[u8]) -> Result<(), DriverError> {
        let mut store = self.as_writer()?;
        let segment = store.segments.get_mut(&id).ok_or_else(|| missing(id))?;
        let offset = in_memory(offset);
        let full = || DriverError::io("append past a segment", io::ErrorKind::InvalidInput.into());
        let place = segment.get_mut(offset..offset + bytes.len()).ok_or_else(full)?;
        let old = place.to_vec();
        place.copy_from_slice(bytes);
        let written = Write { id, offset, old };
        store.given_up.retain(|write| !written.covers(write));
        store.unsynced.push(written);
        Ok(())
    }

    fn sync(&self) -> Result<(), DriverError> {
        self.as_writer()?.unsynced.clear();
        Ok(())
    }

    fn read(&self, id: SegmentId, offset: u64, bytes: &mut [u8]) -> Result<usize, DriverError> {
        let store = self.store();
        let segment = store.segments.get(&id).ok_or_else(|| missing(id))?;
        let rest = segment.get(in_memory(offset)..).unwrap_or_default();
        let count = rest.len().min(bytes.len());
        bytes[..count].copy_from_slice(&rest[..count]);
        Ok(count)
    }

    fn cut(&self, id: SegmentId, offset: u64) -> Result<(), DriverError> {
        let mut store = self.as_writer()?;
        let segment = store.segments.get_mut(&id).ok_or_else(|| missing(id))?;
        let from = in_memory(offset).min(segment.len());
        segment[from..].fill(0);
        Ok(())
    }

    fn discard(&self, id: SegmentId) -> Result<(), DriverError> {
        let mut store = self.as_writer()?;
        let segment = store.segments.remove(&id).ok_or_else(|| missing(id))?;
        store.unsynced.retain(|write| write.id != id);
        if store.spares.len() < SPARES {
            store.spares.push(segment);
        }
        Ok(())
    }

    fn put(&self, name: &str, bytes: &[u8]) -> Result<(), DriverError> {
        self.as_writer()?.blobs.insert(name.to_owned(), bytes.to_vec());
        Ok(())
    }

    fn get(&self, name: &str) -> Result<Option<Vec<u8>>, DriverError> {
        Ok(self.store().blobs.get(name).cloned())
    }

    fn blobs(&self) -> Result<Vec<String>, DriverError> {
        Ok(self.store().blobs.keys().cloned().collect())
    }

    fn delete(&self, name: &str) -> Result<(), DriverError> {
        self.as_writer()?.blobs.remove(name);
        Ok(())
    }

    fn used(&self) -> Result<ByteSize, DriverError> {
        let store = self.store();
        let segments = store.segments.values().chain(&store.spares).map(Vec::len);
        let bytes: usize = segments.chain(store.blobs.values().map(Vec::len)).sum();
        Ok(ByteSize::bytes(bytes as u64))
    }
}
