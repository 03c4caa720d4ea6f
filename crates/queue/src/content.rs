//! The part of a Message record that the machine never looks at: what the message says.
//!
//! Layout, version 1, after the record's header: length of the head (u32), head, body. The body is
//! last, so that what is handed out is a slice of what was read. The head: id (16 bytes), MD5 of
//! the body (16), flags (u8), MD5 of the attributes (16, flag 1), sender, trace header (flag 2),
//! group (flag 4), deduplication id (flag 8), number of attributes, and of each: name, data type, 0
//! or 1 for text or binary, value. The group is in the record's header now; a head that was written
//! before that was so may have it.
//! To change the layout: count the record's version up and keep decoding the older ones.

use bytes::Bytes;
use tidemill_base::MessageId;

use crate::codec::{Put, Reader, Unreadable};
use crate::message::{Attribute, AttributeValue, Content};

const HAS_ATTRIBUTES_MD5: u8 = 1;
const HAS_TRACE_HEADER: u8 = 2;
const HAS_GROUP: u8 = 4;
const HAS_DEDUPLICATION: u8 = 8;

/// A content ready to be written, prepared before any lock is taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Packed {
    head: Bytes,
    body: Bytes,
}

impl Packed {
    /// Packs all of `content` but its group.
    pub(crate) fn new(id: MessageId, content: Content) -> Self {
        let texts = [&content.trace_header, &content.deduplication].into_iter().flatten();
        let texts = texts.map(|text| text.len() + 4).sum::<usize>();
        // As much as most take, so that it is made once, and not copied when it is shared.
        let mut head = Vec::with_capacity(41 + content.sender.len() + texts);
        head.put(id.as_bytes());
        head.put(&content.body_md5);
        let flag = |given: bool, flag: u8| if given { flag } else { 0 };
        head.put_u8(
            flag(content.attributes_md5.is_some(), HAS_ATTRIBUTES_MD5)
                | flag(content.trace_header.is_some(), HAS_TRACE_HEADER)
                | flag(content.deduplication.is_some(), HAS_DEDUPLICATION),
        );
        if let Some(digest) = &content.attributes_md5 {
            head.put(digest);
        }
        head.put_text(&content.sender);
        for text in [&content.trace_header, &content.deduplication].into_iter().flatten() {
            head.put_text(text);
        }
        head.put_len(content.attributes.len());
        for Attribute { name, data_type, value } in &content.attributes {
            head.put_text(name);
            head.put_text(data_type);
            match value {
                AttributeValue::Text(text) => {
                    head.put_u8(0);
                    head.put_text(text);
                }
                AttributeValue::Binary(bytes) => {
                    head.put_u8(1);
                    head.put_bytes(bytes);
                }
            }
        }
        Self { head: head.into(), body: content.body }
    }

    /// The message's body.
    pub(crate) fn body(&self) -> &[u8] {
        &self.body
    }

    /// The number of bytes that [`Packed::write`] writes.
    pub(crate) fn size(&self) -> usize {
        4 + self.head.len() + self.body.len()
    }

    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        out.put_u32(u32::try_from(self.head.len()).expect("a record is far smaller than 4 GiB"));
        out.put(&self.head);
        out.put(&self.body);
    }

    /// Reads what [`Packed::write`] wrote, without copying.
    pub(crate) fn read(bytes: &Bytes) -> Result<Self, Unreadable> {
        let mut reader = Reader::new("message", bytes);
        let head = usize::try_from(reader.u32()?).map_err(|_| reader.bad())?;
        if reader.rest().len() < head {
            return Err(reader.bad());
        }
        Ok(Self { head: bytes.slice(4..4 + head), body: bytes.slice(4 + head..) })
    }

    pub(crate) fn unpack(self) -> Result<(MessageId, Content), Unreadable> {
        let mut reader = Reader::new("message", &self.head);
        let id = MessageId::from_bytes(reader.array()?);
        let body_md5 = reader.array()?;
        let flags = reader.u8()?;
        let has = |flag| flags & flag != 0;
        let attributes_md5 = has(HAS_ATTRIBUTES_MD5).then(|| reader.array()).transpose()?;
        let sender = reader.text()?.to_owned();
        let mut text = |given: bool| given.then(|| reader.text().map(str::to_owned)).transpose();
        let trace_header = text(has(HAS_TRACE_HEADER))?;
        let group = text(has(HAS_GROUP))?;
        let deduplication = text(has(HAS_DEDUPLICATION))?;
        let count = reader.len()?;
        let attributes =
            (0..count).map(|_| attribute(&mut reader, &self.head)).collect::<Result<_, _>>()?;
        reader.finish()?;
        let content = Content {
            body: self.body,
            attributes,
            sender,
            trace_header,
            group,
            deduplication,
            body_md5,
            attributes_md5,
        };
        Ok((id, content))
    }
}

fn attribute(reader: &mut Reader<'_>, head: &Bytes) -> Result<Attribute, Unreadable> {
    let name = reader.text()?.to_owned();
    let data_type = reader.text()?.to_owned();
    let value = match reader.u8()? {
        0 => AttributeValue::Text(reader.text()?.to_owned()),
        1 => AttributeValue::Binary(head.slice_ref(reader.bytes()?)),
        _ => return Err(reader.bad()),
    };
    Ok(Attribute { name, data_type, value })
}

#[cfg(test)]
mod tests {
    use tidemill_base::Chance;

    use super::*;

    fn full() -> Content {
        Content {
            body: Bytes::from_static(b"body"),
            attributes: vec![
                Attribute {
                    name: "n".into(),
                    data_type: "Number".into(),
                    value: AttributeValue::Text("1".into()),
                },
                Attribute {
                    name: "b".into(),
                    data_type: "Binary.x".into(),
                    value: AttributeValue::Binary(Bytes::from_static(&[0, 255])),
                },
            ],
            sender: "me".into(),
            trace_header: Some("Root=1".into()),
            group: None,
            deduplication: Some("once".into()),
            body_md5: [1; 16],
            attributes_md5: Some([2; 16]),
        }
    }

    #[test]
    fn a_content_comes_back_as_it_was() {
        let id = MessageId::random(&Chance::seeded(1));
        for content in [Content::default(), full()] {
            let packed = Packed::new(id, content.clone());
            let mut bytes = Vec::new();
            packed.write(&mut bytes);
            assert_eq!(bytes.len(), packed.size());
            let read = Packed::read(&bytes.into()).unwrap();
            assert_eq!(read.unpack(), Ok((id, content)));
        }
    }

    #[test]
    fn a_group_is_read_where_it_was_once_written() {
        let content = Content { trace_header: Some("g".into()), ..Content::default() };
        let mut bytes = Vec::new();
        Packed::new(MessageId::from_bytes([0; 16]), content.clone()).write(&mut bytes);
        bytes[4 + 32] = HAS_GROUP;
        let (_, read) = Packed::read(&bytes.into()).unwrap().unpack().unwrap();
        assert_eq!((read.group, read.trace_header), (Some("g".into()), None));
    }

    #[test]
    fn a_body_is_not_copied() {
        let mut bytes = Vec::new();
        Packed::new(MessageId::from_bytes([0; 16]), full()).write(&mut bytes);
        let bytes = Bytes::from(bytes);
        let (_, content) = Packed::read(&bytes).unwrap().unpack().unwrap();
        assert_eq!(content.body.as_ptr(), bytes[bytes.len() - 4..].as_ptr());
    }

    #[test]
    fn cut_bytes_are_an_error_and_no_panic() {
        let mut bytes = Vec::new();
        Packed::new(MessageId::from_bytes([0; 16]), full()).write(&mut bytes);
        let head = bytes.len() - 4;
        for cut in 0..head {
            let read = Packed::read(&Bytes::copy_from_slice(&bytes[..cut]));
            assert!(read.and_then(Packed::unpack).is_err(), "{cut}");
        }
    }
}
