//! What runs in an instance: user data, read as the init system of a machine would read it.
//!
//! [`Program::read`] takes user data apart: a script, a systemd unit, or several of them. A unit
//! that asks for what is not done here is refused, with the line that asks, where passing over it
//! would mislead; it is noted where it would not.

mod calendar;
mod command;
mod file;
mod keys;
mod mime;
mod program;
mod service;
mod signal;
mod span;
mod specifier;
mod status;
mod timer;
mod words;

pub use calendar::Calendar;
pub use command::Command;
pub use program::{BadProgram, Program, Script, Unit};
pub use service::{Folder, KillMode, Limit, Output, Restart, Service, ServiceKind};
pub use signal::Signal;
pub use specifier::Host;
pub use status::{Ended, StatusSet};
pub use timer::{Last, Moment, Since, Timer};
