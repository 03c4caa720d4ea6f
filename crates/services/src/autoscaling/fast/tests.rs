//! What the fast mind is told, of queues and groups that are words.

use tidemill_base::{AccountId, Region};

use super::super::samples;
use super::*;

const NEVER: Option<Timestamp> = None;

/// What came by each of these looks: what was sent so far, what is kept back, the last purge.
fn came(looks: &[(u64, u64, Option<Timestamp>)]) -> Vec<u64> {
    let mut before = None;
    let mut all = Vec::new();
    for look in looks {
        let came = Came::after(before, *look);
        all.push(came.most);
        before = Some(came);
    }
    all
}

#[test]
fn what_is_kept_back_comes_when_its_time_is_over_also_if_it_was_sent_before_the_service_began() {
    assert_eq!(came(&[(0, 5, NEVER), (0, 5, NEVER), (0, 3, NEVER), (2, 3, NEVER)]), [0, 0, 2, 4]);
    assert_eq!(came(&[(7, 0, NEVER), (9, 2, NEVER), (9, 0, NEVER)]), [0, 0, 2]);
}

#[test]
fn what_is_told_of_late_is_not_counted_twice() {
    // One that is kept back is known as sent first.
    assert_eq!(came(&[(0, 0, NEVER), (1, 0, NEVER), (1, 1, NEVER), (1, 0, NEVER)]), [0, 1, 1, 1]);
}

#[test]
fn what_a_purge_took_never_came() {
    let purged = Some(Timestamp::from_millis(1));
    assert_eq!(came(&[(9, 9, NEVER), (9, 0, purged), (12, 2, purged)]), [0, 0, 1]);
    assert_eq!(came(&[(9, 9, NEVER), (12, 1, purged)]), [0, 2]);
}

#[test]
fn a_group_follows_queues_of_its_own_account_alone() {
    let key = GroupKey {
        account: AccountId::DEFAULT,
        region: Region::default(),
        name: "workers".to_owned(),
    };
    let theirs = "arn:aws:sqs:us-east-1:111122223333:work";
    let ours = format!("arn:aws:sqs:us-east-1:{}:work", AccountId::DEFAULT);
    let tagged = |text: &str| queue_key(&key, Some(text), || None).map(|it| it.name.to_string());
    assert_eq!(tagged("work").as_deref(), Some("work"));
    assert_eq!(tagged(&ours).as_deref(), Some("work"));
    assert_eq!(tagged(theirs), None);
    assert_eq!(tagged("http://localhost/111122223333/work"), None);
    let tracked =
        |text: &str| queue_key(&key, None, || Some(text.to_owned())).map(|it| it.name.to_string());
    assert_eq!(tracked("work").as_deref(), Some("work"));
    assert_eq!((tracked(&ours), tracked("http://localhost/111122223333/work")), (None, None));
}

#[test]
fn one_that_was_taken_in_says_nothing_of_how_long_a_launch_takes() {
    let at = Timestamp::from_millis(5000);
    let member = samples::member(at);
    assert_eq!(instance(&member, Messages::NONE).phase, Phase::InService(Timestamp::EPOCH));
    let origin = Origin::Configuration("worker".to_owned(), None);
    let launched = Member { origin, ..member };
    assert_eq!(instance(&launched, Messages::NONE).phase, Phase::InService(at));
}
