//! Scaling: how many workers a queue should have, and which of them should go.
//!
//! Floor 2. Nothing here starts or stops anything: whoever runs instances tells what it sees of
//! them, and is told what to do. [`group`] remembers the groups, in a journal of their own, and
//! decides who comes and who goes so that each has as many as it is told to have.
//!
//! How many that should be two minds say, and they only decide: what was seen, the policy, the time
//! and what was learnt so far go in; a decision and what is known now come out. [`fast`] looks at
//! the queue itself, each second. [`aws`] holds the rules
//! that AWS documents: target tracking with its pair of alarms, step and simple scaling, how
//! policies agree. `docs/scaling.md` compares them, and `demand/` plays both against traces of
//! demand.

#![cfg_attr(test, expect(clippy::float_cmp, reason = "what is compared here is exact"))]

pub mod aws;
pub mod fast;
pub mod group;
mod limits;
mod workers;

pub use limits::{BadLimits, Limits};
pub use workers::{Messages, Workers};
