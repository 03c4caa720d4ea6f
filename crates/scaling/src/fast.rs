//! The fast mind: looks at the queue itself, each second, and decides at once.
//!
//! Three things are learnt: how many messages come in a second, how many a worker gets done, and
//! how long a launch takes. From them follows what the load needs, with those launches counted that
//! are under way. More workers are wanted at once; fewer only when nothing for a while needed them.
//! Why it is done so, and what was looked at: `docs/decisions/0010-a-controller-of-our-own.md`.

mod arrivals;
mod decide;
mod leave;
mod observation;
mod policy;
mod service;
mod state;
#[cfg(test)]
mod tests;

pub use decide::{Cause, Decision, Estimate, decide};
pub use leave::{Stop, Why};
pub use observation::{Instance, Observation, Phase};
pub use policy::{Guess, Policy};
pub use state::State;
