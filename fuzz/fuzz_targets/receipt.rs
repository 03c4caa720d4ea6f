//! Any text is read as a receipt or refused, and what was read says the same again.
//! `cargo fuzz run receipt`

#![no_main]

use libfuzzer_sys::fuzz_target;
use tidemill_queue::Receipt;

fuzz_target!(|text: &str| {
    if let Ok(receipt) = Receipt::parse(text) {
        assert_eq!(receipt.to_string(), text);
    }
});
