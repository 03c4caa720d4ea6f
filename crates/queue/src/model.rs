//! A naive model of what the engine does: queues as plain lists of messages, searched each time.
//! Nothing in it is fast, and all of it is obvious.
//!
//! The machine's own tests hold it to the model command by command. With the feature `model` a
//! [`Mirror`] follows a whole engine, and the simulation asks it what may and what must be.

#[cfg(feature = "model")]
mod check;
#[cfg(feature = "model")]
mod mirror;
pub(crate) mod pond;
#[cfg(feature = "model")]
mod ponds;

#[cfg(feature = "model")]
pub use mirror::{Mirror, Seen};
