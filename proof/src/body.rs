//! What a message says: its number, and text that follows from it, so that a receiver can tell
//! whether every byte came back.

use std::fmt::Write as _;

/// A message's number, never used twice in a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Number(pub(crate) u64);

/// The body of message `number`, of about `size` bytes.
pub(crate) fn write(number: Number, size: usize) -> String {
    let mut body = format!("{}.{size}.", number.0);
    let mut state = number.0.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    loop {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        write!(body, "{state:016x}").expect("writing to a string does not fail");
        if body.len() >= size {
            return body;
        }
    }
}

/// The number of the message with this body, if it is the body of one.
pub(crate) fn read(body: &str) -> Option<Number> {
    let mut words = body.split('.');
    let number = Number(words.next()?.parse().ok()?);
    let size = words.next()?.parse().ok().filter(|size| *size <= body.len())?;
    (write(number, size) == body).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_tells_its_number_and_a_changed_one_tells_none() {
        for size in [0, 40, 5000] {
            let body = write(Number(77), size);
            assert_eq!(read(&body), Some(Number(77)));
            assert_eq!(read(&body[..body.len() - 1]), None);
            assert_eq!(read(&body.replacen('7', "8", 1)), None);
        }
        assert_eq!(read("hello"), None);
    }
}
