//! Message attributes: checked as AWS checks them, translated both ways, and chosen by name.

use tidemill_api::sqs::{MessageAttributeValue, errors};
use tidemill_queue::{Attribute, AttributeValue};
use tidemill_wire::{Fault, Map};

use super::fault;
use super::message::is_text;

/// Most attributes of a message.
pub(super) const MOST: usize = 10;
/// Most bytes of an attribute's name, and of its data type.
const LONGEST: usize = 256;

/// Reads the attributes that a sender gave.
pub(super) fn read(given: Map<String, MessageAttributeValue>) -> Result<Vec<Attribute>, Fault> {
    if given.len() > MOST {
        return Err(fault::invalid(format!(
            "Number of message attributes [{}] exceeds the allowed maximum [{MOST}].",
            given.len()
        )));
    }
    given.into_iter().map(|(name, value)| read_one(name, value)).collect()
}

fn read_one(name: String, given: MessageAttributeValue) -> Result<Attribute, Fault> {
    check_name(&name)?;
    let lists = [given.string_list_values.is_some(), given.binary_list_values.is_some()];
    if lists.contains(&true) {
        // Nor does AWS: its model reserves them.
        return Err(Fault::new(
            &errors::UNSUPPORTED_OPERATION,
            "Message attribute list values in SendMessage operation are not supported.",
        ));
    }
    let data_type = given.data_type.unwrap_or_default();
    check_type(&name, &data_type)?;
    let is_empty = |kind: &str| {
        fault::invalid(format!(
            "Message (user) attribute '{name}' must contain a non-empty value of type '{kind}'."
        ))
    };
    let value = if is_a(&data_type, "Binary") {
        let bytes = given.binary_value.filter(|bytes| !bytes.is_empty());
        AttributeValue::Binary(bytes.ok_or_else(|| is_empty("Binary"))?)
    } else {
        let text = given.string_value.filter(|text| !text.is_empty());
        let text = text.ok_or_else(|| is_empty("String"))?;
        check_text(&name, &data_type, &text)?;
        AttributeValue::Text(text)
    };
    Ok(Attribute { name, data_type, value })
}

fn check_name(name: &str) -> Result<(), Fault> {
    let lower = name.to_ascii_lowercase();
    if name.is_empty() {
        return Err(fault::invalid(
            "The request must contain non-empty message (user) attribute names.",
        ));
    }
    if name.len() > LONGEST {
        return Err(fault::invalid(
            "Message (user) attribute name must be shorter than 256 bytes.",
        ));
    }
    if lower.starts_with("aws.") || lower.starts_with("amazon.") {
        return Err(fault::invalid(
            "You can't use message attribute names beginning with 'AWS.' or 'Amazon'. These \
             strings are reserved for internal use.",
        ));
    }
    let plain = |it: char| it.is_alphanumeric() || matches!(it, '_' | '-' | '.');
    if let Some(odd) = name.chars().find(|it| !plain(*it)) {
        return Err(fault::invalid(format!(
            "Invalid non-alphanumeric character '#x{:X}' was found in the message attribute name. \
             Can only include alphanumeric characters, hyphens, underscores, or dots.",
            u32::from(odd)
        )));
    }
    if name.starts_with('.') || name.ends_with('.') || name.contains("..") {
        return Err(fault::invalid(
            "Invalid message attribute name starting or ending with character '.', or having \
             successive ones, was found.",
        ));
    }
    Ok(())
}

fn check_type(name: &str, data_type: &str) -> Result<(), Fault> {
    if data_type.is_empty() {
        return Err(fault::invalid(format!(
            "The message (user) attribute '{name}' must contain a non-empty message attribute \
             value."
        )));
    }
    if data_type.len() > LONGEST {
        return Err(fault::invalid(
            "Message (user) attribute type must be shorter than 256 bytes.",
        ));
    }
    if !["Binary", "Number", "String"].iter().any(|kind| is_a(data_type, kind)) {
        return Err(fault::invalid(format!(
            "The type of message (user) attribute '{name}' is invalid. You must use only the \
             following supported type prefixes: Binary, Number, String."
        )));
    }
    Ok(())
}

/// Whether a data type is `kind`, or `kind` with a label of the sender's behind a dot.
fn is_a(data_type: &str, kind: &str) -> bool {
    data_type.strip_prefix(kind).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

fn check_text(name: &str, data_type: &str, text: &str) -> Result<(), Fault> {
    if is_a(data_type, "Number") && !is_number(text) {
        return Err(fault::invalid(format!(
            "Can't cast the value of message (user) attribute '{name}' to a number."
        )));
    }
    if !is_text(text.as_bytes()) {
        return Err(fault::invalid(format!(
            "Message (user) attribute '{name}' contains characters that XML 1.0 does not allow."
        )));
    }
    Ok(())
}

/// Whether a text is a decimal number; "inf" and "nan" are none.
fn is_number(text: &str) -> bool {
    text.bytes().all(|it| it.is_ascii_digit() || b"+-.eE".contains(&it))
        && text.parse::<f64>().is_ok()
}

/// What attributes count for in a message's size: their names, types and values.
pub(super) fn size(attributes: &[Attribute]) -> usize {
    let value = |attribute: &Attribute| match &attribute.value {
        AttributeValue::Text(text) => text.len(),
        AttributeValue::Binary(bytes) => bytes.len(),
    };
    attributes.iter().map(|it| it.name.len() + it.data_type.len() + value(it)).sum()
}

/// An attribute as a receiver is told it.
pub(super) fn write(attribute: Attribute) -> (String, MessageAttributeValue) {
    let (string_value, binary_value) = match attribute.value {
        AttributeValue::Text(text) => (Some(text), None),
        AttributeValue::Binary(bytes) => (None, Some(bytes)),
    };
    let value = MessageAttributeValue {
        string_value,
        binary_value,
        data_type: Some(attribute.data_type),
        ..MessageAttributeValue::default()
    };
    (attribute.name, value)
}

/// Which attributes a receiver wants: all, those with some prefixes, those with some names.
/// Names that no attribute can have match nothing, and are no error.
pub(super) struct Wanted<'a>(&'a [String]);

impl<'a> Wanted<'a> {
    pub(super) fn new(names: &'a [String]) -> Self {
        Self(names)
    }

    pub(super) fn nothing(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn includes(&self, name: &str) -> bool {
        self.0.iter().any(|wanted| match wanted.as_str() {
            "All" | "*" | ".*" => true,
            wanted => match wanted.strip_suffix(".*") {
                Some(prefix) => name.starts_with(prefix),
                None => name == wanted,
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(data_type: &str, value: &str) -> MessageAttributeValue {
        MessageAttributeValue {
            data_type: Some(data_type.into()),
            string_value: Some(value.into()),
            ..MessageAttributeValue::default()
        }
    }

    fn refusal(name: &str, value: MessageAttributeValue) -> Option<String> {
        read_one(name.into(), value).err().map(|fault| fault.message.to_string())
    }

    #[test]
    fn a_name_has_letters_digits_dots_hyphens_and_underscores() {
        for good in ["attr.1øßä", "a", "A-b_c.d", &"n".repeat(256)] {
            assert_eq!(refusal(good, text("String", "v")), None, "{good:?}");
        }
        for bad in ["", ".a", "a.", "a..b", "a!", "a§", "a(", "AWS.x", "Amazon.x", "a b"] {
            assert!(refusal(bad, text("String", "v")).is_some(), "{bad:?}");
        }
        assert!(refusal(&"n".repeat(257), text("String", "v")).is_some());
    }

    #[test]
    fn a_value_is_of_its_type() {
        for (data_type, value) in [("String", "v"), ("Number.int", "12"), ("String.x", "é")] {
            assert_eq!(refusal("a", text(data_type, value)), None, "{data_type} {value}");
        }
        for (data_type, value) in [
            ("String", ""),
            ("Number", "x"),
            ("Number", "inf"),
            ("Stringy", "v"),
            ("", "v"),
            ("String", "\u{8}"),
        ] {
            assert!(refusal("a", text(data_type, value)).is_some(), "{data_type} {value:?}");
        }
    }

    #[test]
    fn receivers_choose_by_name_by_prefix_or_all() {
        let names = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
        assert!(Wanted::new(&names(&["Hel.*"])).includes("Hello"));
        assert!(!Wanted::new(&names(&["Hel.*", "..foo", "AWS."])).includes("World"));
        for all in ["All", ".*", "*"] {
            assert!(Wanted::new(&names(&[all])).includes("World"), "{all}");
        }
    }
}
