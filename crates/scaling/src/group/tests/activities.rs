//! What groups did, and how long that is remembered.

use tidemill_journal::cbor::Fold as _;

use super::*;

#[test]
fn what_groups_did_that_are_gone_is_forgotten_in_the_end() {
    let mut state = State::default();
    let named = |number: usize| GroupKey { name: format!("{number:04}"), ..key() };
    let activity = |began| Activity {
        id: id(1),
        group: id(2),
        deed: Deed::Spare,
        instance: None,
        causes: Vec::new(),
        began,
        end: None,
        zone: String::new(),
    };
    let mut lives_and_goes = |number: usize, at: Timestamp| {
        let made = Made { id: id(2), at, settings: settings(0, 1), tags: Tags::new() };
        for what in [What::Made(made), What::Begun(activity(at)), What::Gone(())] {
            state.happened(Event::Of(named(number), what)).unwrap();
        }
        let first = state.active(key().account, &key().region).next().unwrap();
        (first.name.clone(), state.active(key().account, &key().region).count())
    };
    let at = |second: usize| Timestamp::from_millis(second as u64 * 1000);
    for number in 0..GONE {
        assert_eq!(lives_and_goes(number, at(number)).1, number + 1);
    }
    // The one that did nothing for longest goes.
    assert_eq!(lives_and_goes(GONE, at(GONE)), ("0001".to_owned(), GONE));
    // What is older than six weeks goes as well.
    let later = at(GONE) + Duration::from_hours(6 * 7 * 24 + 1);
    assert_eq!(lives_and_goes(GONE + 1, later), (format!("{:04}", GONE + 1), 1));
}
