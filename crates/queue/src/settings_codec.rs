//! Settings and tags as bytes, in records and in snapshots alike.
//!
//! Settings, layout version 1: version (u8), discipline (u8), delay, size (varints, ms and bytes),
//! retention, wait, visibility (varints, ms), policy (optional text), extras (pairs of text). Tags
//! are pairs of text. The settings carry their own version, for they are part of several records.

use std::collections::BTreeMap;

use tidemill_base::ByteSize;

use crate::codec::{Put, Reader, Unreadable};
use crate::settings::{Discipline, Settings, Tags};

const VERSION: u8 = 1;

pub(crate) fn put_settings(out: &mut Vec<u8>, settings: &Settings) {
    out.put_u8(VERSION);
    out.put_u8(match settings.discipline {
        Discipline::Standard => 0,
    });
    out.put_span(settings.delay);
    out.put_varint(settings.max_size.as_u64());
    out.put_span(settings.retention);
    out.put_span(settings.receive_wait);
    out.put_span(settings.visibility);
    out.put_optional_text(settings.policy.as_deref());
    put_tags(out, &settings.extras);
}

pub(crate) fn read_settings(reader: &mut Reader<'_>) -> Result<Settings, Unreadable> {
    let version = reader.u8()?;
    if version != VERSION {
        return Err(Unreadable::new(format!("settings of version {version}")));
    }
    let discipline = match reader.u8()? {
        0 => Discipline::Standard,
        other => return Err(Unreadable::new(format!("discipline {other}"))),
    };
    Ok(Settings {
        discipline,
        delay: reader.span()?,
        max_size: ByteSize::bytes(reader.varint()?),
        retention: reader.span()?,
        receive_wait: reader.span()?,
        visibility: reader.span()?,
        policy: reader.optional_text()?.map(Into::into),
        extras: read_tags(reader)?,
    })
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
