//! What is written down: that a key was made, that one was revoked, what seals tokens.

use tidemill_base::{AccountId, Timestamp};
use tidemill_journal::{Kind, RecordRef};
use tidemill_sign::Secret;

use crate::encoding::{Malformed, Reader, put_number, put_text};
use crate::key::{AccessKey, AccessKeyId, Principal};
use crate::session::Seal;

/// Something that happened. The state is what these add up to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// A key was made.
    KeyMade(AccessKey),
    /// A key was revoked, for good.
    KeyRevoked(AccessKeyId),
    /// From now on this seals the tokens of sessions.
    Sealed(Seal),
}

const KEY_MADE: Kind = Kind(0x01);
const KEY_REVOKED: Kind = Kind(0x02);
const SEALED: Kind = Kind(0x03);

/// The version that is written. A record that changes gets the next number in its own kind, and
/// [`Event::read`] an arm for it beside the one of the old, which stays: old journals open.
const VERSION: u8 = 1;

impl Event {
    /// The event's kind and version in the journal, and its payload.
    pub(crate) fn encode(&self) -> (Kind, u8, Vec<u8>) {
        let mut out = Vec::new();
        let kind = match self {
            Self::KeyMade(key) => {
                put_key(&mut out, key);
                KEY_MADE
            }
            Self::KeyRevoked(id) => {
                put_text(&mut out, id.as_str());
                KEY_REVOKED
            }
            Self::Sealed(seal) => {
                out.extend_from_slice(seal.as_bytes());
                SEALED
            }
        };
        (kind, VERSION, out)
    }

    /// Reads what [`Event::encode`] wrote, in this version or an earlier one.
    pub(crate) fn read(record: RecordRef<'_>) -> Result<Self, Malformed> {
        let mut reader = Reader::new(record.payload);
        let event = match (record.kind, record.version) {
            (KEY_MADE, 1) => Self::KeyMade(read_key(&mut reader)?),
            (KEY_REVOKED, 1) => Self::KeyRevoked(read_id(&mut reader)?),
            (SEALED, 1) => Self::Sealed(Seal::from_bytes(reader.array()?)),
            _ => return Err(Malformed("its kind or version is unknown")),
        };
        reader.end()?;
        Ok(event)
    }
}

/// What is written of a key when it is made: it is active then.
pub(crate) fn put_key(out: &mut Vec<u8>, key: &AccessKey) {
    put_text(out, key.id.as_str());
    put_text(out, key.secret.reveal());
    put_number(out, key.account.as_u64());
    out.push(match key.principal {
        Principal::Root => 0,
    });
    put_number(out, key.created.as_millis());
}

/// Reads what [`put_key`] wrote.
pub(crate) fn read_key(reader: &mut Reader<'_>) -> Result<AccessKey, Malformed> {
    Ok(AccessKey {
        id: read_id(reader)?,
        secret: Secret::new(reader.text()?.to_owned()),
        account: AccountId::from_u64(reader.number()?)
            .ok_or(Malformed("an account in it has more than twelve digits"))?,
        principal: match reader.byte()? {
            0 => Principal::Root,
            _ => return Err(Malformed("a principal in it is unknown")),
        },
        created: Timestamp::from_millis(reader.number()?),
        active: true,
    })
}

fn read_id(reader: &mut Reader<'_>) -> Result<AccessKeyId, Malformed> {
    reader.text()?.parse().map_err(|_| Malformed("an access key's id in it cannot be one"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> AccessKey {
        AccessKey {
            id: "AKIAIOSFODNN7EXAMPLE".parse().unwrap(),
            secret: Secret::new("hush".to_owned()),
            account: AccountId::from_u64(0x2a).unwrap(),
            principal: Principal::Root,
            created: Timestamp::from_millis(0x0102),
            active: true,
        }
    }

    #[test]
    fn an_event_reads_as_it_was_written() {
        let sealed = Event::Sealed(Seal::from_bytes([7; 32]));
        for event in [Event::KeyMade(key()), Event::KeyRevoked(key().id), sealed] {
            let (kind, version, payload) = event.encode();
            assert_eq!(Event::read(RecordRef { kind, version, payload: &payload }), Ok(event));
        }
    }

    #[test]
    fn the_bytes_of_version_1_stay_what_they_are() {
        let (kind, version, payload) = Event::KeyMade(key()).encode();
        let mut expected = b"\x14AKIAIOSFODNN7EXAMPLE\x04hush".to_vec();
        expected.extend([0x2a, 0, 0, 0, 0, 0, 0, 0, 0, 2, 1, 0, 0, 0, 0, 0, 0]);
        assert_eq!((kind, version, payload), (Kind(1), 1, expected));
        let (kind, version, payload) = Event::KeyRevoked(key().id).encode();
        assert_eq!((kind, version), (Kind(2), 1));
        assert_eq!(payload, b"\x14AKIAIOSFODNN7EXAMPLE");
    }

    #[test]
    fn a_record_that_is_cut_or_has_more_than_its_due_is_malformed() {
        let (kind, version, mut payload) = Event::KeyMade(key()).encode();
        for length in 0..payload.len() {
            let cut = RecordRef { kind, version, payload: &payload[..length] };
            assert!(Event::read(cut).is_err(), "{length}");
        }
        payload.push(0);
        let more = RecordRef { kind, version, payload: &payload };
        assert_eq!(Event::read(more), Err(Malformed("it goes on past its end")));
    }

    #[test]
    fn a_record_of_an_unknown_kind_or_version_is_malformed() {
        for (kind, version) in [(KEY_MADE, 2), (KEY_MADE, 0), (Kind(4), 1)] {
            assert!(Event::read(RecordRef { kind, version, payload: b"" }).is_err());
        }
    }
}
