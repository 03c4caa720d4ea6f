//! Whatever text an XML answer carries, a parser gives it back, where XML can hold it at all.
//! `cargo +nightly fuzz run xml`

#![no_main]

use libfuzzer_sys::fuzz_target;
use tidemill_wire::fault::VALIDATION;
use tidemill_wire::{Fault, Protocol, encode_fault};

/// The characters of XML 1.0.
fn is_xml(text: &str) -> bool {
    let low = |one| matches!(one, '\t' | '\n' | '\r' | ' '..);
    text.chars().all(|one| low(one) && one != '\u{fffe}' && one != '\u{ffff}')
}

fuzz_target!(|text: &str| {
    let fault = Fault::new(&VALIDATION, text.to_owned());
    let reply = encode_fault(Protocol::Query, None, &fault, "id");
    let written = str::from_utf8(&reply.body).expect("an answer is UTF-8");
    if is_xml(text) {
        let document = roxmltree::Document::parse(written).expect("an answer is XML");
        let mut all = document.descendants();
        let message = all.find(|node| node.has_tag_name("Message")).expect("there is a message");
        assert_eq!(message.text().unwrap_or_default(), text);
    }
});
