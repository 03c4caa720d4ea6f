//! The MD5 digests by which a client checks that a message arrived as it was sent.
//!
//! The algorithm over attributes is the one that the SQS developer guide documents: sorted by
//! name, each with its type and value, every part behind its length.

mod lanes;

use md5::{Digest as _, Md5};
use tidemill_queue::{Attribute, AttributeValue, Digest};

/// The digest of a body.
pub(crate) fn of_body(body: &[u8]) -> Digest {
    Md5::digest(body).into()
}

/// The digests of bodies, in their order.
pub(crate) fn of_bodies<'a>(bodies: impl IntoIterator<Item = &'a [u8]>) -> Vec<Digest> {
    let bodies: Vec<&[u8]> = bodies.into_iter().collect();
    let mut digests = Vec::with_capacity(bodies.len());
    for some in bodies.chunks(lanes::MOST) {
        digests.extend_from_slice(&lanes::of_bodies(some)[..some.len()]);
    }
    digests
}

/// The digest of attributes, in whatever order they come; none of none.
pub(crate) fn of_attributes<'a>(
    attributes: impl IntoIterator<Item = &'a Attribute>,
) -> Option<Digest> {
    let mut sorted: Vec<&Attribute> = attributes.into_iter().collect();
    if sorted.is_empty() {
        return None;
    }
    sorted.sort_unstable_by(|one, other| one.name.cmp(&other.name));
    let mut digest = Md5::new();
    for attribute in sorted {
        part(&mut digest, attribute.name.as_bytes());
        part(&mut digest, attribute.data_type.as_bytes());
        match &attribute.value {
            AttributeValue::Text(text) => {
                digest.update([1]);
                part(&mut digest, text.as_bytes());
            }
            AttributeValue::Binary(bytes) => {
                digest.update([2]);
                part(&mut digest, bytes);
            }
        }
    }
    Some(digest.finalize().into())
}

fn part(digest: &mut Md5, bytes: &[u8]) {
    let length = u32::try_from(bytes.len()).expect("a request is at most 1 GiB");
    digest.update(length.to_be_bytes());
    digest.update(bytes);
}

/// A digest as it stands on the wire: 32 lower-case hexadecimal digits.
pub(crate) fn hexadecimal(digest: &Digest) -> String {
    let mut text = [0; 32];
    hex::encode_to_slice(digest, &mut text).expect("two digits a byte");
    str::from_utf8(&text).expect("digits are UTF-8").to_owned()
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn attribute(name: &str, data_type: &str, value: AttributeValue) -> Attribute {
        Attribute { name: name.into(), data_type: data_type.into(), value }
    }

    #[test]
    fn a_bodys_digest_is_its_md5() {
        assert_eq!(hexadecimal(&of_body(b"")), "d41d8cd98f00b204e9800998ecf8427e");
    }

    #[test]
    fn the_order_of_attributes_does_not_matter_and_their_types_do() {
        let text = attribute("b", "String", AttributeValue::Text("v".into()));
        let binary = attribute("a", "Binary", AttributeValue::Binary(Bytes::from_static(b"v")));
        let digest = of_attributes([&text, &binary]);
        assert_eq!(digest, of_attributes([&binary, &text]));
        let typed = attribute("b", "String.x", AttributeValue::Text("v".into()));
        assert_ne!(digest, of_attributes([&typed, &binary]));
        assert_eq!(of_attributes([]), None);
    }

    #[test]
    fn one_attribute_is_digested_as_documented() {
        // Computed by hand from the documented algorithm: 4-byte lengths, type tag 1 for text.
        let mut bytes = Vec::new();
        for part in ["city", "String"] {
            bytes.extend(u32::try_from(part.len()).unwrap().to_be_bytes());
            bytes.extend(part.as_bytes());
        }
        bytes.push(1);
        bytes.extend(8_u32.to_be_bytes());
        bytes.extend(b"Any City");
        let city = attribute("city", "String", AttributeValue::Text("Any City".into()));
        assert_eq!(of_attributes([&city]), Some(of_body(&bytes)));
    }
}
