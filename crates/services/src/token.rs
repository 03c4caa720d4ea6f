//! Tokens of pages: a text that says where the next page begins, for nobody to take apart. Nothing
//! is kept for one, and none expires.

/// What a token begins with. To change how what is behind it is written, change this.
const MARK: &str = "1";

/// The token of a text.
pub(crate) fn write(text: &str) -> String {
    MARK.to_owned() + &hex::encode(text)
}

/// The text of a token; `None` of what is none.
pub(crate) fn read(token: &str) -> Option<String> {
    String::from_utf8(hex::decode(token.strip_prefix(MARK)?).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_reads_as_it_was_written_and_nothing_else_is_one() {
        for text in ["", "orders", "a\0b"] {
            assert_eq!(read(&write(text)).as_deref(), Some(text));
        }
        for token in ["", "invalidtoken", "1zz", "1ff", "261", "16"] {
            assert_eq!(read(token), None, "{token}");
        }
    }
}
