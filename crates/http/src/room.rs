//! What connections read into and write from, lent to those that do: a connection that rests has
//! none, and ten thousand of them take no more than those few that are busy.

use std::cell::RefCell;

use bytes::BytesMut;

/// How much is lent. Most requests fit; larger ones have more while they are here.
pub(crate) const ROOM: usize = 16 << 10;
/// At least so much room for a read.
const SMALLEST_READ: usize = 2 << 10;
/// What has grown larger is not kept.
const LARGEST: usize = 2 * ROOM;
/// How many are kept for each thread at most.
const MOST: usize = 64;

thread_local! {
    /// The last one given back is the first one lent: it is likeliest in the processor's cache.
    static SPARE: RefCell<Vec<BytesMut>> = const { RefCell::new(Vec::new()) };
}

/// Gives `buffer` room for a read, if it has none.
pub(crate) fn lend(buffer: &mut BytesMut) {
    if buffer.capacity() == 0 {
        let spare = SPARE.with_borrow_mut(Vec::pop);
        *buffer = spare.unwrap_or_else(|| BytesMut::with_capacity(ROOM));
    }
    make_room(buffer);
}

/// Takes back what was lent, with what stands in it.
pub(crate) fn give_back(buffer: &mut BytesMut) {
    let mut room = std::mem::take(buffer);
    if room.capacity() == 0 {
        return;
    }
    room.clear();
    // What was read is room again.
    room.reserve(ROOM);
    if room.capacity() <= LARGEST {
        SPARE.with_borrow_mut(|spare| {
            if spare.len() < MOST {
                spare.push(room);
            }
        });
    }
}

/// Makes room for a read.
pub(crate) fn make_room(buffer: &mut BytesMut) {
    if buffer.capacity() - buffer.len() < SMALLEST_READ {
        buffer.reserve(ROOM);
    }
}

#[cfg(test)]
mod tests {
    use bytes::Buf as _;

    use super::*;

    fn kept() -> usize {
        SPARE.with_borrow(Vec::len)
    }

    #[test]
    fn what_is_given_back_is_lent_again_whole_and_empty() {
        let mut buffer = BytesMut::new();
        lend(&mut buffer);
        let at = buffer.as_ptr();
        buffer.extend_from_slice(b"GET / HTTP/1.1\r\n");
        buffer.advance(4);
        give_back(&mut buffer);
        assert_eq!((buffer.capacity(), kept()), (0, 1));
        lend(&mut buffer);
        assert_eq!((buffer.as_ptr(), buffer.len(), buffer.capacity(), kept()), (at, 0, ROOM, 0));
    }

    #[test]
    fn what_has_grown_and_what_is_too_many_is_not_kept() {
        give_back(&mut BytesMut::with_capacity(LARGEST + 1));
        give_back(&mut BytesMut::new());
        assert_eq!(kept(), 0);
        (0..MOST + 9).for_each(|_| give_back(&mut BytesMut::with_capacity(ROOM)));
        assert_eq!(kept(), MOST);
    }
}
