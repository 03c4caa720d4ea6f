//! Measuring Tidemill: a cheap client, a server as a child process, a load, a bare disk to compare
//! with, and a report that is kept.

#![allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]

pub mod calm;
pub mod client;
pub mod disk;
pub mod load;
pub mod queue;
pub mod report;
pub mod server;
pub mod work;
