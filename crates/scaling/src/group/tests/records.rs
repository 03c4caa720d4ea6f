//! The bytes of what happened.

use tidemill_journal::cbor::Written as _;

use super::*;

#[test]
fn an_event_reads_as_it_was_written() {
    let id = ActivityId::from_bytes([7; 16]);
    let at = Timestamp::from_millis(1000);
    let instance = InstanceId::from_u64(0x0102);
    let moved =
        Moved { instance, state: Lifecycle::InService, at, activity: None, replaced: false };
    let whats = [
        What::Made(Made { id, at, settings: settings(1, 3), tags: Tags::new() }),
        What::Wanted(Wanted { desired: Workers::new(2), said: None }),
        What::Moved(moved),
        What::Suspended(BTreeSet::from([Process::Launch])),
        What::Gone(()),
    ];
    for what in whats {
        let event = Event::Of(key(), what);
        let record = event.record();
        assert_eq!(Event::read(record.as_ref()), Ok(event));
        for length in 0..record.payload.len() {
            let whole = record.payload.clone();
            let cut = tidemill_journal::RecordRef { payload: &whole[..length], ..record.as_ref() };
            assert!(Event::read(cut).is_err(), "{length}");
        }
    }
    let record = Event::Of(key(), What::Moved(moved)).record();
    let mut expected = b"\x82\x83\x00\x69us-east-1\x67workers".to_vec();
    expected.extend(b"\xa4\x00\x19\x01\x02\x01\x03\x02\x19\x03\xe8\x04\xf4");
    assert_eq!((record.kind, record.version), (tidemill_journal::Kind(6), 1));
    assert_eq!(&record.payload[..], expected);
}
