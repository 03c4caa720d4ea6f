//! The attributes that only a FIFO queue has, and what they ask of each other and of its name.

use tidemill_base::QueueName;
use tidemill_queue::{Discipline, Scope, Settings, SettingsChange};
use tidemill_wire::Fault;

use super::attributes::{self, Attributes};
use super::fault;

pub(super) const QUEUE: &str = "FifoQueue";
pub(super) const CONTENT_DEDUPLICATION: &str = "ContentBasedDeduplication";
pub(super) const DEDUPLICATION_SCOPE: &str = "DeduplicationScope";
pub(super) const THROUGHPUT_LIMIT: &str = "FifoThroughputLimit";
/// All of them.
pub(super) const NAMES: [&str; 4] =
    [QUEUE, CONTENT_DEDUPLICATION, DEDUPLICATION_SCOPE, THROUGHPUT_LIMIT];

/// What the scopes are called, for the whole queue and for each group.
const DEDUPLICATION_SCOPES: [&str; 2] = ["queue", "messageGroup"];
const THROUGHPUT_LIMITS: [&str; 2] = ["perQueue", "perMessageGroupId"];

/// Reads what a new queue of this name is to have. Its name and its attributes must both make it
/// a FIFO queue, or neither.
pub(super) fn read_new(
    name: &QueueName,
    given: &Attributes,
    change: &mut SettingsChange,
) -> Result<(), Fault> {
    let wanted = attributes::find(given, QUEUE);
    let wanted = wanted.map(|value| attributes::boolean(QUEUE, value)).transpose()?;
    match (name.is_fifo(), wanted) {
        (true, Some(true)) => {
            change.discipline = Some(Discipline::Fifo);
            read(given, &Settings::default(), change)
        }
        (true, None) => Err(fault::bad_queue_name()),
        (false, Some(true)) => Err(fault::bad_fifo_name()),
        // To say that a queue is none is more than a standard queue can, whatever its name.
        (_, Some(false)) | (false, None) => refuse(given),
    }
}

/// Reads what an existing queue is to have from now on.
pub(super) fn read_existing(
    settings: &Settings,
    given: &Attributes,
    change: &mut SettingsChange,
) -> Result<(), Fault> {
    if settings.discipline == Discipline::Standard {
        return refuse(given);
    }
    let wanted = attributes::find(given, QUEUE);
    if wanted.map(|value| attributes::boolean(QUEUE, value)).transpose()? == Some(false) {
        return Err(fault::invalid_attribute_for(QUEUE, "Modifying queue type is not supported."));
    }
    read(given, settings, change)
}

/// A standard queue has none of them.
fn refuse(given: &Attributes) -> Result<(), Fault> {
    match NAMES.into_iter().find(|name| attributes::find(given, name).is_some()) {
        None => Ok(()),
        Some(scope @ (DEDUPLICATION_SCOPE | THROUGHPUT_LIMIT)) => Err(fault::only_when_fifo(scope)),
        Some(name) => Err(fault::unknown_attribute(name)),
    }
}

/// Reads the attributes for a FIFO queue that has `settings` so far.
fn read(given: &Attributes, settings: &Settings, change: &mut SettingsChange) -> Result<(), Fault> {
    let get = |name| attributes::find(given, name);
    let by_content = get(CONTENT_DEDUPLICATION)
        .map(|value| attributes::boolean(CONTENT_DEDUPLICATION, value))
        .transpose()?;
    let deduplication = get(DEDUPLICATION_SCOPE)
        .map(|value| scope(DEDUPLICATION_SCOPE, DEDUPLICATION_SCOPES, value))
        .transpose()?;
    let throughput = get(THROUGHPUT_LIMIT)
        .map(|value| scope(THROUGHPUT_LIMIT, THROUGHPUT_LIMITS, value))
        .transpose()?;
    let each_group = throughput.unwrap_or(settings.throughput_scope) == Scope::Group;
    if each_group && deduplication.unwrap_or(settings.deduplication_scope) == Scope::Queue {
        return Err(fault::throughput_wants_deduplication());
    }
    change.content_deduplication = by_content;
    change.deduplication_scope = deduplication;
    change.throughput_scope = throughput;
    Ok(())
}

fn scope(name: &str, [queue, group]: [&str; 2], value: &str) -> Result<Scope, Fault> {
    match value {
        _ if value == queue => Ok(Scope::Queue),
        _ if value == group => Ok(Scope::Group),
        _ => Err(fault::invalid_attribute(name)),
    }
}

/// The attributes that a queue has: all of them, or none.
pub(super) fn show(settings: &Settings) -> Vec<(&'static str, String)> {
    if settings.discipline == Discipline::Standard {
        return Vec::new();
    }
    let scope = |[queue, group]: [&str; 2], scope| match scope {
        Scope::Queue => queue.to_owned(),
        Scope::Group => group.to_owned(),
    };
    vec![
        (QUEUE, true.to_string()),
        (CONTENT_DEDUPLICATION, settings.content_deduplication.to_string()),
        (DEDUPLICATION_SCOPE, scope(DEDUPLICATION_SCOPES, settings.deduplication_scope)),
        (THROUGHPUT_LIMIT, scope(THROUGHPUT_LIMITS, settings.throughput_scope)),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(pairs: &[(&str, &str)]) -> Attributes {
        pairs.iter().map(|(name, value)| ((*name).into(), (*value).to_owned())).collect()
    }

    fn made(name: &str, pairs: &[(&str, &str)]) -> Result<Settings, String> {
        let mut change = SettingsChange::default();
        let read = read_new(&name.parse().unwrap(), &given(pairs), &mut change);
        read.map(|()| change.from_defaults()).map_err(|fault| fault.message.to_string())
    }

    #[test]
    fn a_queue_is_fifo_by_its_name_and_its_attributes_or_by_neither() {
        assert_eq!(made("q.fifo", &[(QUEUE, "True")]).unwrap().discipline, Discipline::Fifo);
        assert_eq!(made("q", &[]).unwrap().discipline, Discipline::Standard);
        let told = made("q.fifo", &[]).unwrap_err();
        assert!(told.starts_with("Can only include alphanumeric"), "{told}");
        let told = made("q", &[(QUEUE, "true")]).unwrap_err();
        assert!(told.contains("must end with .fifo suffix"), "{told}");
        for name in ["q", "q.fifo"] {
            let told = made(name, &[(QUEUE, "false")]).unwrap_err();
            assert_eq!(told, "Unknown Attribute FifoQueue.");
        }
    }

    #[test]
    fn a_limit_for_each_group_asks_for_deduplication_within_each_group() {
        let limit = (THROUGHPUT_LIMIT, "perMessageGroupId");
        let told = made("q.fifo", &[(QUEUE, "true"), limit]).unwrap_err();
        assert!(told.contains("perMessageGroupId value is allowed only"), "{told}");
        let both = [(QUEUE, "true"), limit, (DEDUPLICATION_SCOPE, "messageGroup")];
        let settings = made("q.fifo", &both).unwrap();
        assert_eq!(settings.throughput_scope, Scope::Group);
        let back = given(&[(DEDUPLICATION_SCOPE, "queue")]);
        assert!(read_existing(&settings, &back, &mut SettingsChange::default()).is_err());
        let shown: Vec<_> = show(&settings).into_iter().map(|(_, value)| value).collect();
        assert_eq!(shown, ["true", "false", "messageGroup", "perMessageGroupId"]);
    }

    #[test]
    fn a_queues_kind_stays() {
        let mut change = SettingsChange::default();
        let fifo = Settings { discipline: Discipline::Fifo, ..Settings::default() };
        assert!(read_existing(&fifo, &given(&[(QUEUE, "true")]), &mut change).is_ok());
        let fault = read_existing(&fifo, &given(&[(QUEUE, "false")]), &mut change).unwrap_err();
        assert!(fault.message.contains("Modifying queue type is not supported."));
        let standard = Settings::default();
        for name in NAMES {
            assert!(read_existing(&standard, &given(&[(name, "true")]), &mut change).is_err());
        }
    }
}
