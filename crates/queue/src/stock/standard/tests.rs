//! The stock by itself: where messages stand, and what damage to the log does to that.

use super::*;
use crate::codec::Reader;
use crate::ground::Ground;
use crate::key::QueueNumber;
use crate::settings::Settings;
use crate::stock::{Layout, Stock};

const DURABLE: Position = Position::from_u64(u64::MAX);

fn at(millis: u64) -> Timestamp {
    Timestamp::from_millis(millis)
}

/// Messages sent a millisecond apart, with these delays in seconds.
fn stock(delays: &[u16]) -> (Stock, Ground) {
    let (mut stock, mut ground) = (Stock::new(&Settings::default()), Ground::default());
    ground.start_counting();
    for (number, delay) in (1..).zip(delays) {
        let position = Position::from_u64(number * 1000);
        let (queue, sequence, sent) = (QueueNumber(1), Sequence(number), at(number));
        let header = Header { queue, sequence, sent, delay: *delay, group: None, known: None };
        stock.add(position, &header, &mut ground);
    }
    (stock, ground)
}

fn received(number: u64, from: u64, until: u64) -> Received {
    let (queue, sequences) = (QueueNumber(1), vec![Sequence(number)]);
    Received { queue, at: at(from), until: at(until), attempt: None, holder: None, sequences }
}

fn heads(stock: &Stock) -> Vec<u64> {
    stock.heads(100).iter().map(|held| held.sequence.0).collect()
}

#[test]
fn a_message_is_seen_once_its_record_is_durable() {
    let (mut stock, _) = stock(&[0, 0, 0]);
    stock.advance(at(100), Position::from_u64(2000));
    assert_eq!(heads(&stock), [1]);
    assert!(stock.has_fresh());
    stock.advance(at(100), Position::from_u64(2001));
    assert_eq!(heads(&stock), [1, 2]);
}

#[test]
fn a_delay_that_ends_before_an_earlier_one_is_loose_and_in_its_turn() {
    let (mut stock, _) = stock(&[9, 3, 10, 0]);
    stock.advance(at(100), DURABLE);
    assert_eq!((heads(&stock), stock.counts().delayed), (vec![4], 3));
    assert_eq!(stock.next_due(), Some(at(3002)));
    stock.advance(at(3002), DURABLE);
    assert_eq!(heads(&stock), [4, 2]);
    stock.advance(at(60_000), DURABLE);
    assert_eq!((heads(&stock), stock.counts().delayed), (vec![4, 2, 1, 3], 0));
}

#[test]
fn a_message_wanted_from_the_middle_leaves_the_order_as_it_was() {
    let (mut stock, mut ground) = stock(&[0, 0, 0, 0]);
    stock.advance(at(100), DURABLE);
    // As when the record of the first two's receive was lost to damage.
    stock.receive(&received(3, 100, 500));
    assert_eq!(heads(&stock), [1, 2, 4]);
    assert_eq!(stock.counts().in_flight, 1);
    stock.forget(Sequence(2), &mut ground);
    stock.forget(Sequence(77), &mut ground);
    assert_eq!(heads(&stock), [1, 4]);
    let everywhere = Position::ZERO..Position::from_u64(1 << 20);
    assert_eq!(ground.population(&everywhere).live, 3);
}

#[test]
fn a_message_that_moved_stays_visible_and_in_its_place() {
    let (mut stock, mut ground) = stock(&[0, 0]);
    stock.advance(at(100), Position::from_u64(5000));
    // The new record is not durable yet; the old one is.
    stock.relocate(Sequence(1), Position::from_u64(1 << 20), &mut ground);
    stock.advance(at(100), Position::from_u64(5000));
    assert_eq!(heads(&stock), [1, 2]);
    assert_eq!(stock.find(Sequence(1)).unwrap().position, Position::from_u64(1 << 20));
}

#[test]
fn a_view_reads_back_as_the_stock_it_was_taken_of() {
    let (mut stock, mut ground) = stock(&[0, 5, 0, 2, 0, 900, 0]);
    stock.advance(at(2500), Position::from_u64(6001));
    stock.receive(&received(1, 2500, 9000));
    stock.forget(Sequence(3), &mut ground);
    let view = stock.view();
    drop(stock.clear(&mut ground));
    let mut bytes = Vec::new();
    view.write(&mut bytes);
    let mut reader = Reader::new("stock", &bytes);
    let mut again = Stock::read(&Settings::default(), Layout(3), &mut reader).unwrap();
    reader.finish().unwrap();
    again.advance(at(2500), DURABLE);
    assert_eq!(heads(&again), [5, 7, 4]);
    let counts = again.counts();
    assert_eq!((counts.in_flight, counts.delayed, counts.oldest), (1, 2, Some(at(1))));
}

#[test]
fn after_the_clock_went_back_what_is_hidden_stays_hidden() {
    let (mut stock, _) = stock(&[0]);
    stock.advance(at(100_000), DURABLE);
    stock.advance(at(50), DURABLE);
    stock.receive(&received(1, 50, 500));
    assert_eq!(stock.counts().in_flight, 1);
    stock.advance(at(500), DURABLE);
    assert_eq!(heads(&stock), [1]);
}
