//! The drivers there are: files for servers, memory and faults for tests.

mod faulty;
pub(crate) mod file;
mod memory;
mod spare;

pub use faulty::{Fault, Faults, FaultyDriver, Operation};
pub use file::FileDriver;
pub use memory::{Keep, MemoryDriver};
