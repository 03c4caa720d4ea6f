//! What is written down: each thing that happened, as a kind and CBOR.

use minicbor::{Decode, Encode};
use tidemill_base::Timestamp;
use tidemill_journal::cbor::{self, Written};
use tidemill_journal::{Record, RecordRef, Unreadable};

use crate::id::{InstanceId, TemplateId};
use crate::instance::{Instance, Phase, Reason};
use crate::recipe::Tags;
use crate::template::{Template, Version};

/// Something that happened. The state is what these add up to.
#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "few of them are held, and none for long")]
pub enum Event {
    TemplateMade(Template),
    VersionMade(VersionMade),
    DefaultSet(DefaultSet),
    VersionsDropped(VersionsDropped),
    TemplateDropped(TemplateId),
    Launched(Vec<Instance>),
    Moved(Moved),
    Tagged(Tagged),
    Untagged(Untagged),
    Forgotten(InstanceId),
    Cleared,
}

/// A version was added to a template.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
#[cbor(map)]
pub struct VersionMade {
    #[n(0)]
    pub(crate) template: TemplateId,
    #[n(1)]
    pub(crate) version: Version,
}

/// Another version is a template's default.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
#[cbor(map)]
pub struct DefaultSet {
    #[n(0)]
    pub(crate) template: TemplateId,
    #[n(1)]
    pub(crate) version: u64,
}

/// Versions of a template are gone.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
#[cbor(map)]
pub struct VersionsDropped {
    #[n(0)]
    pub(crate) template: TemplateId,
    #[n(1)]
    pub(crate) versions: Vec<u64>,
}

/// An instance came into a state.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
#[cbor(map)]
pub struct Moved {
    #[n(0)]
    pub(crate) instance: InstanceId,
    #[n(1)]
    pub(crate) phase: Phase,
    #[n(2)]
    pub(crate) boot: u32,
    #[n(3)]
    pub(crate) at: Timestamp,
    #[n(4)]
    pub(crate) reason: Option<Reason>,
    #[n(5)]
    pub(crate) abrupt: bool,
}

/// A resource has more tags, or other values of them.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
#[cbor(map)]
pub struct Tagged {
    #[n(0)]
    pub(crate) resource: Resource,
    #[n(1)]
    pub(crate) tags: Tags,
}

/// A resource has fewer tags.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
#[cbor(map)]
pub struct Untagged {
    #[n(0)]
    pub(crate) resource: Resource,
    #[n(1)]
    pub(crate) names: Vec<String>,
}

/// What has tags.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
pub enum Resource {
    /// An instance.
    #[n(0)]
    Instance(#[n(0)] InstanceId),
    /// A launch template.
    #[n(1)]
    Template(#[n(0)] TemplateId),
}

/// The version that is written. What can be said by a new member needs no new one.
const VERSION: u8 = 1;

macro_rules! events {
    ($($kind:literal $name:ident)*) => {
        impl Written for Event {
            fn record(&self) -> Record {
                match self {
                    $(Self::$name(what) => cbor::write($kind, VERSION, what),)*
                    Self::Cleared => cbor::bare(CLEARED, VERSION),
                }
            }

            fn read(record: RecordRef<'_>) -> Result<Self, Unreadable> {
                match (record.kind.0, record.version) {
                    $(($kind, VERSION) => cbor::read(record).map(Self::$name),)*
                    (CLEARED, VERSION) => Ok(Self::Cleared),
                    _ => Err(cbor::unknown(record)),
                }
            }
        }
    };
}

const CLEARED: u8 = 11;

events! {
    1 TemplateMade
    2 VersionMade
    3 DefaultSet
    4 VersionsDropped
    5 TemplateDropped
    6 Launched
    7 Moved
    8 Tagged
    9 Untagged
    10 Forgotten
}

#[cfg(test)]
mod tests {
    use tidemill_journal::Kind;

    use super::*;

    fn moved() -> Event {
        Event::Moved(Moved {
            instance: InstanceId::from_u64(0x0102),
            phase: Phase::Stopped,
            boot: 2,
            at: Timestamp::from_millis(1000),
            reason: Some(Reason::Asked),
            abrupt: false,
        })
    }

    #[test]
    fn an_event_reads_as_it_was_written() {
        let tags = Tags::from([("a".to_owned(), "b".to_owned())]);
        let resource = Resource::Template(TemplateId::from_u64(7));
        let events = [
            moved(),
            Event::Cleared,
            Event::Tagged(Tagged { resource, tags }),
            Event::Forgotten(InstanceId::from_u64(9)),
        ];
        for event in events {
            let record = event.record();
            assert_eq!(Event::read(record.as_ref()), Ok(event));
        }
    }

    #[test]
    fn the_bytes_of_version_1_stay_what_they_are() {
        let record = moved().record();
        let expected =
            b"\xa6\x00\x19\x01\x02\x01\x03\x02\x02\x03\x19\x03\xe8\x04\x82\x00\x80\x05\xf4";
        assert_eq!((record.kind, record.version), (Kind(7), 1));
        assert_eq!(&record.payload[..], expected);
    }

    #[test]
    fn a_record_that_is_cut_or_unknown_is_told() {
        let record = moved().record();
        let whole = record.payload.clone();
        for length in 0..whole.len() {
            let cut = RecordRef { payload: &whole[..length], ..record.as_ref() };
            assert!(Event::read(cut).is_err(), "{length}");
        }
        let unknown = RecordRef { kind: Kind(0x70), version: 1, payload: b"" };
        assert!(Event::read(unknown).unwrap_err().to_string().contains("kind 112"));
    }
}
