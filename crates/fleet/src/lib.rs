//! Instances: supervised processes, and the templates that they are launched from.
//!
//! Floor 2. An engine like the others: it speaks in domain words, is given the time, and remembers
//! through a journal. [`Fleet`] says what may be done; its keeper sees to it that instances are as
//! they are to be, by a [`Driver`]. The one driver there is, [`process`], makes an instance a tree
//! of processes under a *shim* that outlives the service, and runs what [`unit`] reads out of user
//! data.

mod codec;
mod driver;
mod engine;
#[cfg(test)]
mod fake;
mod id;
mod instance;
mod keeper;
mod kind;
mod owner;
pub mod process;
mod recipe;
mod record;
mod refusal;
mod state;
mod template;
pub mod unit;

pub use driver::{Driver, Sight, Stop};
pub use engine::{
    Change, Environment, Fleet, FleetError, Launch, Launched, NewTemplate, NewVersion, TAGS,
    TemplateOf,
};
pub use id::{BadId, InstanceId, ReservationId, TemplateId};
pub use instance::{Instance, Phase, Reason};
pub use kind::{KINDS, Kind, USUAL};
pub use owner::Owner;
pub use recipe::{MetadataOptions, Profile, Recipe, Tags};
pub use record::Resource;
pub use refusal::Refusal;
pub use state::State;
pub use template::{Template, Version, Which};
