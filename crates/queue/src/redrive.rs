//! Dead letters: what a queue does with messages that are received again and again, and who may
//! leave theirs with it.

use crate::codec::{Put, Reader, Unreadable};
use crate::key::QueueKey;
use crate::record::{put_key, read_key};

/// The tag that, when it is [`DEAD_LETTER_EXPIRED`] on a queue with a [`Redrive`], has what
/// outlives the queue's retention go to the dead-letter queue instead of being dropped.
pub const DEAD_LETTER_EXPIRED_TAG: &str = "tidemill:dead-letter-expired";
/// What [`DEAD_LETTER_EXPIRED_TAG`] has to be.
pub const DEAD_LETTER_EXPIRED: &str = "true";

/// Where a queue's dead letters go, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redrive {
    /// The dead-letter queue. While there is none of this name, or it has another discipline,
    /// messages stay and are handed out as before.
    pub target: QueueKey,
    /// A message that was handed out so often goes there instead of being handed out again.
    pub max_receives: u32,
}

/// Which queues may name a queue as their dead-letter queue. Kept for the caller, who looks when a
/// [`Redrive`] is set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RedriveAllow {
    /// Any.
    All,
    /// None.
    Nobody,
    /// These alone.
    Only(Vec<QueueKey>),
}

const NOT_SAID: u8 = 0;
const ALL: u8 = 1;
const NOBODY: u8 = 2;
const ONLY: u8 = 3;

/// Layout: receives (varint, 0 for no redrive) and, unless 0, the target; then who may name the
/// queue as theirs (u8: 0 not said, 1 all, 2 nobody, 3 some: how many, and their keys).
pub(crate) fn put_redrive(
    out: &mut Vec<u8>,
    redrive: Option<&Redrive>,
    allow: Option<&RedriveAllow>,
) {
    out.put_varint(redrive.map_or(0, |redrive| redrive.max_receives.max(1).into()));
    if let Some(redrive) = redrive {
        put_key(out, &redrive.target);
    }
    match allow {
        None => out.put_u8(NOT_SAID),
        Some(RedriveAllow::All) => out.put_u8(ALL),
        Some(RedriveAllow::Nobody) => out.put_u8(NOBODY),
        Some(RedriveAllow::Only(keys)) => {
            out.put_u8(ONLY);
            out.put_len(keys.len());
            for key in keys {
                put_key(out, key);
            }
        }
    }
}

/// Reads what [`put_redrive`] wrote.
pub(crate) fn read_redrive(
    reader: &mut Reader<'_>,
) -> Result<(Option<Redrive>, Option<RedriveAllow>), Unreadable> {
    let redrive = match u32::try_from(reader.varint()?).map_err(|_| reader.bad())? {
        0 => None,
        max_receives => Some(Redrive { target: read_key(reader)?, max_receives }),
    };
    let allow = match reader.u8()? {
        NOT_SAID => None,
        ALL => Some(RedriveAllow::All),
        NOBODY => Some(RedriveAllow::Nobody),
        ONLY => {
            let keys = (0..reader.len()?).map(|_| read_key(reader)).collect::<Result<_, _>>()?;
            Some(RedriveAllow::Only(keys))
        }
        _ => return Err(reader.bad()),
    };
    Ok((redrive, allow))
}

#[cfg(test)]
mod tests {
    use tidemill_base::{AccountId, Region};

    use super::*;

    fn key(name: &str) -> QueueKey {
        let (account, region) = (AccountId::DEFAULT, Region::default());
        QueueKey { account, region, name: name.parse().unwrap() }
    }

    #[test]
    fn what_is_said_of_dead_letters_comes_back_as_it_was() {
        let redrive = Redrive { target: key("dead"), max_receives: 1000 };
        let only = RedriveAllow::Only(vec![key("a"), key("b")]);
        let allows = [None, Some(RedriveAllow::All), Some(RedriveAllow::Nobody), Some(only)];
        for allow in &allows {
            for redrive in [None, Some(&redrive)] {
                let mut bytes = Vec::new();
                put_redrive(&mut bytes, redrive, allow.as_ref());
                let mut reader = Reader::new("redrive", &bytes);
                let read = read_redrive(&mut reader).unwrap();
                assert_eq!(read, (redrive.cloned(), allow.clone()));
                reader.finish().unwrap();
            }
        }
    }
}
