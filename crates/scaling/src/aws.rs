//! The mind that AWS documents: capacity by proportion, alarms in pairs, steps, cooldowns.
//!
//! Each rule is a function of its own, and its tests are the vectors of AWS's guides. What AWS does
//! not publish (since 2024 target tracking tunes its own reactions) is not imitated. The alarms
//! themselves are judged where metrics are kept: here is how they are set.

mod adjustment;
mod alarms;
mod capacity;
mod simple;
mod step;
mod tracking;

pub use adjustment::{Adjustment, Change};
pub use alarms::{AlarmRule, Side, low_factor};
pub use capacity::{Fleet, Proposal, agree, launches};
pub use simple::{Cooldown, scale_simply};
pub use step::{BadSteps, Step, Steps};
pub use tracking::{Tracking, warm_up};
