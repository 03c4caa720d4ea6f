//! Where a thread would wait for the disk, others go on: here the disk asks the world to let them.
//!
//! The journal and the engine hold no lock of theirs while the disk works, but for the one under
//! which appends are kept in order. So whatever else is at hand runs on the same thread, below the
//! disk's own call, and meets the state as another thread would.

use std::cell::RefCell;
use std::rc::Rc;

use tidemill_journal::Operation;

use crate::world::World;

thread_local! {
    static STAGE: RefCell<Option<Rc<World>>> = const { RefCell::new(None) };
}

/// Puts a world on this thread's stage, or clears it.
pub(crate) fn set(world: Option<Rc<World>>) {
    STAGE.with(|stage| *stage.borrow_mut() = world);
}

/// Tells what the disk does, to whoever listens.
pub(crate) fn tell(what: impl FnOnce() -> String) {
    let world = STAGE.with(|stage| stage.borrow().clone());
    if let Some(world) = world {
        world.say(what);
    }
}

/// The disk is at work.
pub(crate) fn pause(operation: Operation) {
    let world = STAGE.with(|stage| stage.borrow().clone());
    if let Some(world) = world {
        world.meanwhile(operation);
    }
}
