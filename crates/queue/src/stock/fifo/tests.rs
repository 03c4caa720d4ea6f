//! A FIFO stock by itself: which groups are locked, whose turn it is, and what comes back when.

use super::*;
use crate::codec::Reader;
use crate::key::QueueNumber;
use crate::stock::Layout;

const DURABLE: Position = Position::from_u64(u64::MAX);

fn at(millis: u64) -> Timestamp {
    Timestamp::from_millis(millis)
}

/// Messages of these groups, sent a millisecond apart.
fn stock(groups: &str) -> Fifo {
    let mut stock = Fifo::new(&Settings::default());
    for (number, group) in (1..).zip(groups.chars()) {
        send(&mut stock, number, &group.to_string());
    }
    stock.advance(at(100), DURABLE);
    stock
}

fn send(stock: &mut Fifo, number: u64, group: &str) {
    let header = Header {
        queue: QueueNumber(1),
        sequence: Sequence(number),
        sent: at(number),
        delay: 0,
        group: Some(group.into()),
        known: None,
    };
    stock.add(Position::from_u64(number * 1000), &header);
}

fn heads(stock: &Fifo, max: usize) -> Vec<u64> {
    stock.heads(max).iter().map(|held| held.sequence.0).collect()
}

/// Receives what is next, as a receive would.
fn take(stock: &mut Fifo, max: usize, from: u64, until: u64) -> Vec<u64> {
    let sequences = stock.heads(max).iter().map(|held| held.sequence).collect();
    let taken = heads(stock, max);
    stock.receive(&received(sequences, from, until));
    taken
}

fn received(sequences: Vec<Sequence>, from: u64, until: u64) -> Received {
    let (queue, at, until) = (QueueNumber(1), at(from), at(until));
    Received { queue, at, until, attempt: None, holder: None, sequences }
}

#[test]
fn a_receive_takes_a_whole_group_before_the_next() {
    let mut stock = stock("abacb");
    assert_eq!(heads(&stock, 10), [1, 3, 2, 5, 4]);
    assert_eq!(take(&mut stock, 3, 100, 200), [1, 3, 2]);
    // Of b one is out, so the other one waits.
    assert_eq!(heads(&stock, 10), [4]);
    assert_eq!(stock.counts().groups_in_flight, 2);
}

#[test]
fn a_group_that_was_served_goes_to_the_end_of_the_line() {
    let mut stock = stock("aabbcc");
    assert_eq!(take(&mut stock, 1, 100, 150), [1]);
    stock.advance(at(150), DURABLE);
    assert_eq!(heads(&stock, 10), [3, 4, 5, 6, 1, 2]);
    // One that joins is behind those that were there.
    send(&mut stock, 7, "d");
    stock.advance(at(150), DURABLE);
    assert_eq!(heads(&stock, 10), [3, 4, 5, 6, 1, 2, 7]);
}

#[test]
fn what_is_deleted_unlocks_a_group_once_nothing_of_it_is_out() {
    let mut stock = stock("aaa");
    assert_eq!(take(&mut stock, 2, 100, 200), [1, 2]);
    stock.forget(Sequence(1));
    assert_eq!((heads(&stock, 10), stock.has_ready()), (vec![], false));
    stock.forget(Sequence(2));
    assert_eq!((heads(&stock, 10), stock.has_ready()), (vec![3], true));
    stock.forget(Sequence(3));
    assert!(!stock.has_ready() && stock.groups.is_empty());
}

#[test]
fn what_is_made_visible_is_so_alone() {
    let mut stock = stock("aaa");
    assert_eq!(take(&mut stock, 3, 100, 200), [1, 2, 3]);
    stock.hide(Sequence(2), at(100));
    assert!(heads(&stock, 10).is_empty());
    stock.hide(Sequence(1), at(100));
    assert_eq!(heads(&stock, 10), [1, 2]);
}

#[test]
fn what_stands_before_one_that_was_extended_comes_back_without_it() {
    let mut stock = stock("aaaa");
    assert_eq!(take(&mut stock, 3, 100, 200), [1, 2, 3]);
    stock.hide(Sequence(2), at(300));
    stock.advance(at(200), DURABLE);
    assert_eq!(heads(&stock, 10), [1]);
    stock.advance(at(300), DURABLE);
    assert_eq!(heads(&stock, 10), [1, 2, 3, 4]);
}

#[test]
fn a_queues_delay_counts_for_all_that_is_not_due() {
    let delay = |millis| Settings { delay: Duration::from_millis(millis), ..Settings::default() };
    let mut stock = Fifo::new(&delay(1000));
    (1..=3).for_each(|number| send(&mut stock, number * 100, "a"));
    stock.advance(at(1100), DURABLE);
    assert_eq!((heads(&stock, 10), stock.counts().delayed), (vec![100], 2));
    assert_eq!(stock.next_due(), Some(at(1200)));
    // What was due stays so, and the rest waits for longer or shorter.
    stock.configure(at(1100), &delay(5000));
    stock.advance(at(1300), DURABLE);
    assert_eq!((heads(&stock, 10), stock.counts().delayed), (vec![100], 2));
    stock.configure(at(1300), &delay(0));
    stock.advance(at(1300), DURABLE);
    assert_eq!((heads(&stock, 10), stock.next_due()), (vec![100, 200, 300], None));
}

#[test]
fn a_message_wanted_from_the_middle_leaves_the_order_as_it_was() {
    let mut stock = stock("abaaba");
    // As when the record of an earlier receive was lost to damage.
    stock.receive(&received(vec![Sequence(4)], 100, 200));
    assert_eq!(heads(&stock, 10), [2, 5, 1, 3]);
    stock.forget(Sequence(4));
    assert_eq!(heads(&stock, 10), [2, 5, 1, 3, 6]);
}

#[test]
fn a_view_reads_back_as_the_stock_it_was_taken_of() {
    let mut stock = stock("abacbd");
    assert_eq!(take(&mut stock, 3, 100, 200), [1, 3, 2]);
    send(&mut stock, 7, "a");
    let view = stock.view();
    drop(stock.clear());
    let mut bytes = Vec::new();
    view.clone().write(&mut bytes);
    let mut reader = Reader::new("stock", &bytes);
    let mut again = Fifo::read(&Settings::default(), Layout(3), &mut reader).unwrap();
    reader.finish().unwrap();
    let mut written = Vec::new();
    again.view().write(&mut written);
    assert_eq!(written, bytes);
    again.advance(at(150), DURABLE);
    assert_eq!(heads(&again, 10), [4, 6]);
    again.advance(at(200), DURABLE);
    assert_eq!(heads(&again, 10), [4, 6, 1, 3, 7, 2, 5]);
}

#[test]
fn a_hundred_thousand_blocked_groups_are_not_looked_at() {
    let mut stock = Fifo::new(&Settings::default());
    for number in 1..=100_000 {
        send(&mut stock, number, &number.to_string());
    }
    stock.advance(at(200_000), DURABLE);
    for _ in 0..10_000 {
        take(&mut stock, 10, 200_000, 300_000);
    }
    assert_eq!((stock.counts().groups_in_flight, stock.ready.len()), (100_000, 0));
    send(&mut stock, 100_001, "new");
    stock.advance(at(200_000), DURABLE);
    assert_eq!(heads(&stock, 10), [100_001]);
}
