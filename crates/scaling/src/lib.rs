//! Scaling: how many workers a queue should have, and which of them should go.
//!
//! Floor 2, and the decision alone: nothing here reads a clock, draws a lot or starts anything.
//! What was seen, the policy, the time and what was learnt so far go in; a decision and what is
//! known now come out. Whoever calls owns that value, and may store it.
//!
//! There are two minds. [`fast`] looks at the queue itself, each second. [`aws`] holds the rules
//! that AWS documents: target tracking with its pair of alarms, step and simple scaling, how
//! policies agree. `docs/scaling.md` compares them, and `demand/` plays both against traces of
//! demand.

#![cfg_attr(test, expect(clippy::float_cmp, reason = "what is compared here is exact"))]

pub mod aws;
pub mod fast;
mod limits;
mod workers;

pub use limits::{BadLimits, Limits};
pub use workers::{Messages, Workers};
