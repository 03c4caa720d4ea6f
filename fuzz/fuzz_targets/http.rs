//! Any bytes are requests, or are refused: a head is read alike however much of it has come, and
//! a body in chunks is the same however it is cut.
//! `cargo +nightly fuzz run http`

#![no_main]

use libfuzzer_sys::fuzz_target;
use tidemill_http::{Chunks, Framing, Head, Progress};

/// The body, or nothing if it is not whole, or no body.
fn chunked(bytes: &[u8], part: usize) -> Option<(Vec<u8>, usize)> {
    let (mut chunks, mut body, mut done, mut here) = (Chunks::default(), Vec::new(), 0, 0);
    loop {
        let (used, progress) = chunks.step(&bytes[done..here]).ok()?;
        done += used;
        match progress {
            Progress::Bytes(bytes) => body.extend_from_slice(bytes),
            Progress::Done => return Some((body, done)),
            Progress::More if here == bytes.len() => return None,
            Progress::More => here = (here + part).min(bytes.len()),
        }
    }
}

fuzz_target!(|input: (u8, &[u8])| {
    let (part, bytes) = input;
    let part = usize::from(part) + 1;
    let Ok(Some(head)) = Head::read(bytes) else { return };
    assert!(head.length <= bytes.len());
    assert!(head.path.starts_with('/') || head.path == "*");
    // A part of a head is no head, and never an error that the whole is not.
    for cut in [1, head.length / 2, head.length - 1] {
        assert!(matches!(Head::read(&bytes[..cut]), Ok(None)), "cut at {cut}");
    }
    if head.framing == Framing::Chunked {
        let rest = &bytes[head.length..];
        let whole = chunked(rest, rest.len().max(1));
        assert_eq!(whole, chunked(rest, part));
    }
});
