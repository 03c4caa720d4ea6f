//! The attributes of what is published: checked in SNS's own words, which are not those of SQS.

use tidemill_api::sns::MessageAttributeValue;
use tidemill_queue::{Attribute, AttributeValue};
use tidemill_wire::{Fault, Map};

use super::fault::invalid_value;
use crate::sqs::is_text;

/// Most bytes of an attribute's name, and of its type.
const LONGEST: usize = 256;
/// What a type is, or begins with.
const KINDS: [&str; 3] = ["Binary", "Number", "String"];

/// Reads the attributes that a publisher gave.
pub(super) fn read(
    given: Option<Map<String, MessageAttributeValue>>,
) -> Result<Vec<Attribute>, Fault> {
    let given = given.unwrap_or_default();
    given.into_iter().map(|(name, value)| read_one(name, value)).collect()
}

/// What attributes count for in a message's size: their names, types and values.
pub(super) fn size(attributes: &[Attribute]) -> usize {
    let value = |attribute: &Attribute| match &attribute.value {
        AttributeValue::Text(text) => text.len(),
        AttributeValue::Binary(bytes) => bytes.len(),
    };
    attributes.iter().map(|it| it.name.len() + it.data_type.len() + value(it)).sum()
}

fn read_one(name: String, given: MessageAttributeValue) -> Result<Attribute, Fault> {
    check_name(&name)?;
    let data_type = given.data_type;
    check_type(&name, &data_type)?;
    let (text, bytes) = (given.string_value, given.binary_value);
    let of_other_field = |field: &str| {
        invalid_value(format!(
            "The message attribute '{name}' with type '{data_type}' must use field '{field}'."
        ))
    };
    let is_empty = || {
        invalid_value(format!(
            "The message attribute '{name}' must contain non-empty message attribute value for \
             message attribute type '{data_type}'."
        ))
    };
    let value = if is_a(&data_type, "Binary") {
        if text.is_some() {
            return Err(of_other_field("Binary"));
        }
        let bytes = bytes.filter(|bytes| !bytes.is_empty());
        AttributeValue::Binary(bytes.ok_or_else(is_empty)?)
    } else {
        if bytes.is_some() {
            return Err(of_other_field("String"));
        }
        let text = text.filter(|text| !text.is_empty()).ok_or_else(is_empty)?;
        check_text(&name, &data_type, &text)?;
        AttributeValue::Text(text)
    };
    Ok(Attribute { name, data_type, value })
}

fn check_name(name: &str) -> Result<(), Fault> {
    let wrong = |message: &str| Err(invalid_value(message.to_owned()));
    let lower = name.to_ascii_lowercase();
    if name.is_empty() {
        return wrong("The request must contain non-empty message attribute names.");
    }
    if name.len() > LONGEST {
        return wrong("Length of message attribute name must be less than 256 bytes.");
    }
    if lower.starts_with("aws.") || lower.starts_with("amazon.") {
        return wrong(
            "You can't use message attribute names beginning with 'AWS.' or 'Amazon.'. These \
             strings are reserved for internal use.",
        );
    }
    let plain = |it: char| it.is_ascii_alphanumeric() || matches!(it, '_' | '-' | '.');
    if let Some(odd) = name.chars().find(|it| !plain(*it)) {
        return Err(invalid_value(format!(
            "Invalid non-alphanumeric character '#x{:X}' was found in the message attribute name. \
             Can only include alphanumeric characters, hyphens, underscores, or dots.",
            u32::from(odd)
        )));
    }
    if name.starts_with('.') {
        return wrong("Invalid message attribute name starting with character '.' was found.");
    }
    if name.ends_with('.') {
        return wrong("Invalid message attribute name ending with character '.' was found.");
    }
    if name.contains("..") {
        return wrong("Message attribute name can not have successive '.' character.");
    }
    Ok(())
}

fn check_type(name: &str, data_type: &str) -> Result<(), Fault> {
    if data_type.is_empty() {
        return Err(invalid_value(format!(
            "The message attribute '{name}' must contain non-empty message attribute type."
        )));
    }
    if data_type.len() > LONGEST {
        let message = "Length of message attribute type must be less than 256 bytes.";
        return Err(invalid_value(message.to_owned()));
    }
    if !KINDS.iter().any(|kind| is_a(data_type, kind)) {
        return Err(invalid_value(format!(
            "The message attribute '{name}' has an invalid message attribute type, the set of \
             supported type prefixes is Binary, Number, and String."
        )));
    }
    Ok(())
}

/// Whether a type is `kind`, or `kind` with a label behind a dot.
fn is_a(data_type: &str, kind: &str) -> bool {
    data_type.strip_prefix(kind).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

fn check_text(name: &str, data_type: &str, text: &str) -> Result<(), Fault> {
    let digits = text.bytes().all(|it| it.is_ascii_digit() || b"+-.eE".contains(&it));
    if is_a(data_type, "Number") && !(digits && text.parse::<f64>().is_ok()) {
        return Err(invalid_value(format!(
            "Could not cast message attribute '{name}' value to number."
        )));
    }
    if !is_text(text.as_bytes()) {
        return Err(invalid_value(format!(
            "The message attribute '{name}' contains characters that XML 1.0 does not allow."
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(data_type: &str, text: Option<&str>, bytes: Option<&str>) -> MessageAttributeValue {
        MessageAttributeValue {
            data_type: data_type.into(),
            string_value: text.map(Into::into),
            binary_value: bytes.map(|bytes| bytes.to_owned().into()),
        }
    }

    fn told(name: &str, value: MessageAttributeValue) -> Option<String> {
        read_one(name.into(), value).err().map(|fault| fault.message.into_owned())
    }

    #[test]
    fn a_name_has_letters_digits_dots_hyphens_and_underscores() {
        let good = || value("String", Some("v"), None);
        for name in ["a", "A-b_c.d", &"n".repeat(256)] {
            assert_eq!(told(name, good()), None, "{name}");
        }
        for (name, words) in [
            ("", "non-empty message attribute names"),
            ("a^", "'#x5E'"),
            (".a", "starting with"),
            ("a.", "ending with"),
            ("a..b", "successive"),
            ("AWS.a", "reserved"),
            (&"n".repeat(257), "less than 256 bytes"),
        ] {
            assert!(told(name, good()).unwrap().contains(words), "{name}");
        }
    }

    #[test]
    fn a_value_is_where_its_type_has_it() {
        for good in [
            value("String.Array", Some("[1]"), None),
            value("Number", Some("-1.5e3"), None),
            value("Binary", None, Some("b")),
        ] {
            assert_eq!(told("a", good), None);
        }
        for (bad, words) in [
            (value("String", None, None), "must contain non-empty message attribute value"),
            (value("String", Some(""), None), "must contain non-empty message attribute value"),
            (value("Binary", None, Some("")), "for message attribute type 'Binary'."),
            (value("Number", None, Some("b")), "with type 'Number' must use field 'String'."),
            (value("Binary", Some("t"), None), "with type 'Binary' must use field 'Binary'."),
            (value("Stringy", Some("t"), None), "supported type prefixes"),
            (value("", Some("t"), None), "non-empty message attribute type"),
            (value("Number", Some("inf"), None), "value to number"),
        ] {
            assert!(told("a", bad).unwrap().contains(words), "{words}");
        }
    }
}
