//! Settings and tags as bytes, in records and in snapshots alike.
//!
//! Settings, layout version 2: version (u8), discipline (u8: 0 standard, 1 FIFO), flags (u8: 1
//! deduplicates by content, 2 deduplicates in groups, 4 limits groups), delay, size (varints, ms
//! and bytes), retention, wait, visibility (varints, ms), policy (optional text), extras (pairs of
//! text), and what `redrive` writes. Version 1 had no flags, only standard queues and no redrive.
//! Tags are pairs of text. The settings carry their own version, for they are part of several
//! records.

use std::collections::BTreeMap;

use tidemill_base::ByteSize;

use crate::codec::{Put, Reader, Unreadable};
use crate::redrive::{put_redrive, read_redrive};
use crate::settings::{Discipline, Scope, Settings, Tags};

const VERSION: u8 = 2;

const BY_CONTENT: u8 = 1;
const DEDUPLICATES_GROUPS: u8 = 2;
const LIMITS_GROUPS: u8 = 4;

pub(crate) fn put_settings(out: &mut Vec<u8>, settings: &Settings) {
    out.put_u8(VERSION);
    out.put_u8(match settings.discipline {
        Discipline::Standard => 0,
        Discipline::Fifo => 1,
    });
    let flag = |given: bool, flag: u8| if given { flag } else { 0 };
    out.put_u8(
        flag(settings.content_deduplication, BY_CONTENT)
            | flag(settings.deduplication_scope == Scope::Group, DEDUPLICATES_GROUPS)
            | flag(settings.throughput_scope == Scope::Group, LIMITS_GROUPS),
    );
    out.put_span(settings.delay);
    out.put_varint(settings.max_size.as_u64());
    out.put_span(settings.retention);
    out.put_span(settings.receive_wait);
    out.put_span(settings.visibility);
    out.put_optional_text(settings.policy.as_deref());
    put_tags(out, &settings.extras);
    put_redrive(out, settings.redrive.as_ref(), settings.redrive_allow.as_ref());
}

pub(crate) fn read_settings(reader: &mut Reader<'_>) -> Result<Settings, Unreadable> {
    let version = reader.u8()?;
    if !(1..=VERSION).contains(&version) {
        return Err(Unreadable::new(format!("settings of version {version}")));
    }
    let discipline = match reader.u8()? {
        0 => Discipline::Standard,
        1 if version > 1 => Discipline::Fifo,
        other => return Err(Unreadable::new(format!("discipline {other}"))),
    };
    let flags = if version > 1 { reader.u8()? } else { 0 };
    if flags > BY_CONTENT | DEDUPLICATES_GROUPS | LIMITS_GROUPS {
        return Err(reader.bad());
    }
    let scope = |flag: u8| if flags & flag == 0 { Scope::Queue } else { Scope::Group };
    let mut settings = Settings {
        discipline,
        delay: reader.span()?,
        max_size: ByteSize::bytes(reader.varint()?),
        retention: reader.span()?,
        receive_wait: reader.span()?,
        visibility: reader.span()?,
        content_deduplication: flags & BY_CONTENT != 0,
        deduplication_scope: scope(DEDUPLICATES_GROUPS),
        throughput_scope: scope(LIMITS_GROUPS),
        policy: reader.optional_text()?.map(Into::into),
        extras: read_tags(reader)?,
        redrive: None,
        redrive_allow: None,
    };
    if version > 1 {
        (settings.redrive, settings.redrive_allow) = read_redrive(reader)?;
    }
    Ok(settings)
}

pub(crate) fn put_tags(out: &mut Vec<u8>, tags: &Tags) {
    out.put_len(tags.len());
    for (name, value) in tags {
        out.put_text(name);
        out.put_text(value);
    }
}

pub(crate) fn read_tags(reader: &mut Reader<'_>) -> Result<Tags, Unreadable> {
    let mut tags = BTreeMap::new();
    for _ in 0..reader.len()? {
        let name = reader.text()?.to_owned();
        tags.insert(name, reader.text()?.to_owned());
    }
    Ok(tags)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_setting_comes_back_as_it_was() {
        let fifo = Settings { discipline: Discipline::Fifo, ..Settings::default() };
        let all = [
            Settings::default(),
            Settings { content_deduplication: true, ..fifo.clone() },
            Settings { deduplication_scope: Scope::Group, ..fifo.clone() },
            Settings { throughput_scope: Scope::Group, ..fifo },
        ];
        for settings in all {
            let mut bytes = Vec::new();
            put_settings(&mut bytes, &settings);
            let mut reader = Reader::new("settings", &bytes);
            assert_eq!(read_settings(&mut reader), Ok(settings));
            reader.finish().unwrap();
        }
    }

    #[test]
    fn a_later_version_and_an_unknown_flag_are_refused() {
        let mut bytes = Vec::new();
        put_settings(&mut bytes, &Settings::default());
        for (at, byte) in [(0, VERSION + 1), (1, 2), (2, 8)] {
            let mut bytes = bytes.clone();
            bytes[at] = byte;
            assert!(read_settings(&mut Reader::new("settings", &bytes)).is_err(), "{at}");
        }
    }
}
