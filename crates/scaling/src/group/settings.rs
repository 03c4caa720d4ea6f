//! What a group is told to be.

use std::collections::BTreeMap;

use minicbor::{Decode, Encode};

use crate::Workers;

/// What a group is told to be, by whoever made or changed it.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Settings {
    /// The fewest instances.
    #[n(0)]
    pub min: Workers,
    /// The most.
    #[n(1)]
    pub max: Workers,
    /// What its instances are made from.
    #[n(2)]
    pub source: Source,
    /// Seconds that a simple change waits after the one before.
    #[n(3)]
    pub cooldown: u32,
    /// Seconds in which a new instance's health is not judged by others than its own machine.
    #[n(4)]
    pub grace: u32,
    /// Seconds that a new instance takes to pull its weight, if that is said.
    #[n(5)]
    pub warm_up: Option<u32>,
    /// Availability zones, kept and shown.
    #[n(6)]
    pub zones: Vec<String>,
    /// Subnets, kept and shown.
    #[n(7)]
    pub subnets: Option<String>,
    /// Who goes first, by what.
    #[n(8)]
    pub termination: Vec<Termination>,
    /// Whether new instances are spared when the group shrinks.
    #[n(9)]
    pub protects_new: bool,
    /// How it may be deleted.
    #[n(10)]
    pub protection: Protection,
    /// Seconds that an instance may live; none sets no end.
    #[n(11)]
    pub lifetime: Option<u32>,
    /// A word of the owner's, kept and shown.
    #[n(12)]
    pub context: Option<String>,
    /// The role that the service would use, kept and shown.
    #[n(13)]
    pub role: Option<String>,
    /// Who judges the health of its instances.
    #[n(14)]
    pub health: HealthCheck,
}

/// What instances are made from.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Source {
    /// A launch template.
    #[n(0)]
    Template(#[n(0)] TemplateSource),
    /// A launch configuration, by its name.
    #[n(1)]
    Configuration(#[n(0)] String),
}

/// A launch template, by its id and name.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct TemplateSource {
    /// Its id, as those who keep templates write it.
    #[n(0)]
    pub id: String,
    /// Its name.
    #[n(1)]
    pub name: String,
    /// The version: a number, `$Default` or `$Latest`; none stands for `$Default`.
    #[n(2)]
    pub version: Option<String>,
}

/// Who judges the health of instances besides their own machine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum HealthCheck {
    /// Nobody.
    #[default]
    #[n(0)]
    Machine,
}

/// Whose turn it is to go when a group shrinks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum Termination {
    /// Who is made from what is older, then who is closest to the next full hour.
    #[n(0)]
    Default,
    /// The oldest.
    #[n(1)]
    OldestInstance,
    /// The newest.
    #[n(2)]
    NewestInstance,
    /// Who is made from the oldest launch configuration.
    #[n(3)]
    OldestConfiguration,
    /// Who is made from the oldest launch template.
    #[n(4)]
    OldestTemplate,
    /// Who is closest to its next full hour.
    #[n(5)]
    ClosestToNextHour,
    /// By kinds of price, of which there is one: it decides nothing.
    #[n(6)]
    Allocation,
}

/// How a group may be deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum Protection {
    /// In any way.
    #[default]
    #[n(0)]
    None,
    /// Not with its instances.
    #[n(1)]
    NotByForce,
    /// Not at all.
    #[n(2)]
    NotAtAll,
}

/// A tag's value, and whether new instances have it too.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Tag {
    /// The value.
    #[n(0)]
    pub value: String,
    /// Whether instances that are launched from now on have it.
    #[n(1)]
    pub propagates: bool,
}

/// Tags by name.
pub type Tags = BTreeMap<String, Tag>;

/// What a group does by itself, and can be told to leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
#[cbor(index_only)]
pub enum Process {
    /// Launching.
    #[n(0)]
    Launch,
    /// Terminating.
    #[n(1)]
    Terminate,
    /// Telling load balancers of instances; there are none.
    #[n(2)]
    AddToLoadBalancer,
    /// Listening to alarms.
    #[n(3)]
    AlarmNotification,
    /// Evening out zones; there is one.
    #[n(4)]
    AzRebalance,
    /// Judging health.
    #[n(5)]
    HealthCheck,
    /// Renewing all instances.
    #[n(6)]
    InstanceRefresh,
    /// Replacing who is not healthy.
    #[n(7)]
    ReplaceUnhealthy,
    /// Changing its size by the clock.
    #[n(8)]
    ScheduledActions,
}

impl Process {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Launch,
        Self::Terminate,
        Self::AddToLoadBalancer,
        Self::AlarmNotification,
        Self::AzRebalance,
        Self::HealthCheck,
        Self::InstanceRefresh,
        Self::ReplaceUnhealthy,
        Self::ScheduledActions,
    ];
}
