//! The simulation itself: it is deterministic, and it sees what it is there to see.

use super::{Break, play};

/// Of how many of the first seeds the violations are found.
fn caught(broken: Break, seeds: u64) -> u64 {
    (0..seeds).map(|seed| u64::from(!play(seed, Some(broken), false).violations.is_empty())).sum()
}

#[test]
fn the_same_seed_is_the_same_run_to_the_byte() {
    for seed in 0..8 {
        let (one, other) = (play(seed, None, false), play(seed, None, false));
        assert_eq!(one.digest, other.digest, "seed {seed}");
        assert_eq!(one.totals, other.totals, "seed {seed}");
    }
    assert_ne!(play(1, None, false).digest, play(2, None, false).digest);
}

#[test]
fn nothing_is_found_where_nothing_is_wrong() {
    for seed in 0..30 {
        let outcome = play(seed, None, false);
        assert_eq!(outcome.violations, Vec::<String>::new(), "seed {seed}");
    }
}

/// The clock goes back, and then one holder repeats another's receive.
#[test]
fn nothing_is_found_where_a_receive_is_repeated_after_the_clock_went_back() {
    assert_eq!(play(1174, None, false).violations, Vec::<String>::new());
}

#[test]
fn a_disk_that_says_it_synced_and_did_not_is_found_out() {
    assert!(caught(Break::SyncLies, 12) > 3);
}

#[test]
fn a_disk_that_forgets_what_it_synced_is_found_out() {
    assert!(caught(Break::ForgetsSynced, 12) > 3);
}
