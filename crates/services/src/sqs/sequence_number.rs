//! SequenceNumber, as messages of a FIFO queue carry it: twenty digits, and larger ones later.

use tidemill_queue::Sequence;

/// Where AWS's own numbers are. A client that compares them as text, or sets them beside others
/// that it has seen, finds the same number of digits for ever.
const FIRST: u128 = 18_849_496_460_467_696_128;
/// AWS's step from one message to the next.
const STEP: u128 = 256;

/// A message's sequence number.
pub(super) fn write(sequence: Sequence) -> String {
    (FIRST + STEP * u128::from(sequence.as_u64())).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_later_message_has_a_larger_number_of_twenty_digits() {
        let numbers = [0, 1, 1 << 20, 1 << 50].map(|number| write(Sequence::from_u64(number)));
        assert!(numbers.is_sorted());
        assert!(numbers.iter().all(|number| number.len() == 20), "{numbers:?}");
    }
}
