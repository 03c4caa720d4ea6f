//! JSON's corners.

use super::JsonDecoder;
use super::lexer::Lexer;
use super::push_string;

fn string(json: &str) -> Option<String> {
    let mut lexer = Lexer::new(json.as_bytes()).ok()?;
    let text = lexer.string().ok()?.into_owned();
    lexer.end().ok().map(|()| text)
}

#[test]
fn a_string_reads_as_it_was_written() {
    for text in ["", "plain", "\"\\/\u{8}\u{c}\n\r\t", "\u{0}\u{1f}", "é 𝄞 \u{7f}", "\u{ffff}"]
    {
        let mut json = Vec::new();
        push_string(&mut json, text);
        assert_eq!(string(str::from_utf8(&json).unwrap()).as_deref(), Some(text));
    }
}

#[test]
fn escapes_read_as_characters() {
    assert_eq!(string(r#""\ud834\udd1e\u00e9\/""#).as_deref(), Some("𝄞é/"));
}

#[test]
fn what_is_no_string_is_refused() {
    for bad in [
        "\"",
        "\"\\",
        "\"\\x\"",
        "\"\\u12\"",
        "\"\\u+123\"",
        "\"\\ud834\"",
        "\"\\udd1e\"",
        "\"\\ud834\\u0041\"",
        "\"a\nb\"",
        "\"a\" b",
        "\"\\u00",
        "\"\\ud834\\u",
    ] {
        assert_eq!(string(bad), None, "{bad:?}");
    }
}

#[test]
fn numbers_are_strict() {
    let number = |json: &str| {
        let mut lexer = Lexer::new(json.as_bytes()).unwrap();
        lexer.number().is_ok() && lexer.end().is_ok()
    };
    for good in ["0", "-0", "10", "1.5", "-1e5", "1E+5", "0.1e-2"] {
        assert!(number(good), "{good}");
    }
    for bad in ["", "-", "01", "1.", ".5", "+1", "1e", "0x1", "NaN"] {
        assert!(!number(bad), "{bad}");
    }
}

#[test]
fn nesting_has_an_end() {
    let skip = |json: String| Lexer::new(json.as_bytes()).unwrap().skip();
    assert!(skip("[".repeat(100) + &"]".repeat(100)).is_ok());
    assert!(skip("[".repeat(100_000)).is_err());
    assert!(skip("{\"a\":".repeat(100_000)).is_err());
}

#[test]
fn a_body_that_is_not_utf_8_is_refused() {
    assert!(JsonDecoder::new(b"\"\xff\"").is_err());
}
