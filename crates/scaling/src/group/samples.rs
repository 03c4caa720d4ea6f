//! Groups and instances for tests: what suits most, for each to change what it is about.

use tidemill_base::{Chance, Timestamp};

use super::{
    ActivityId, Group, Health, HealthCheck, InstanceId, Lifecycle, Made, Member, Origin,
    Protection, Settings, Source, Tags, TemplateSource, Termination,
};
use crate::Workers;

/// Settings of a group of so many, which launches from a template `lt-1`.
pub(super) fn settings(min: u32, max: u32) -> Settings {
    Settings {
        min: Workers::new(min),
        max: Workers::new(max),
        source: Source::Template(template("lt-1", None)),
        cooldown: 300,
        grace: 0,
        warm_up: None,
        zones: vec!["us-east-1a".to_owned()],
        subnets: None,
        termination: vec![Termination::Default],
        protects_new: false,
        protection: Protection::None,
        lifetime: None,
        context: None,
        role: None,
        health: HealthCheck::Machine,
    }
}

/// A version of a template.
pub(super) fn template(id: &str, version: Option<&str>) -> TemplateSource {
    let (id, name) = (id.to_owned(), "worker".to_owned());
    TemplateSource { id, name, version: version.map(str::to_owned) }
}

/// An instance that is being launched.
pub(super) fn member(number: u64, at: Timestamp) -> Member {
    Member {
        id: InstanceId::from_u64(number),
        state: Lifecycle::Pending,
        since: at,
        activity: None,
        joined: at,
        served: None,
        origin: Origin::Elsewhere,
        kind: "t3.micro".to_owned(),
        zone: "us-east-1a".to_owned(),
        image: "process".to_owned(),
        protected: false,
        health: Health::Healthy,
        replaced: false,
        waits: Vec::new(),
    }
}

/// A group that has nothing yet.
pub(super) fn group(settings: Settings, at: Timestamp) -> Group {
    Group::made(Made { id: id(1), at, settings, tags: Tags::new() })
}

/// An id, the same for the same number.
pub(super) fn id(number: u64) -> ActivityId {
    ActivityId::random(&Chance::seeded(number))
}
