//! Measuring Tidemill: a cheap client, a server as a child process, and a load.

#![allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]

pub mod client;
pub mod load;
pub mod queue;
pub mod server;
