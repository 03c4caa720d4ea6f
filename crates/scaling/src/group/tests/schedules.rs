//! Scheduled actions.

use super::*;

#[test]
fn what_was_missed_is_done_once_in_the_order_of_its_last_time() {
    let start = Timestamp::EPOCH;
    let mut group = samples::group(settings(0, 10), start);
    let action = |text: &str, desired| {
        let cron: cron::Cron = text.parse().unwrap();
        Scheduled {
            id: id(2),
            start: None,
            end: None,
            recurrence: Some(text.to_owned()),
            zone: None,
            min: None,
            max: None,
            desired: Some(Workers::new(desired)),
            next: cron.after(start).unwrap(),
        }
    };
    for (name, action) in [
        ("always", action("* * * * *", 3)),
        ("morning", action("0 9 * * *", 5)),
        ("evening", action("0 18 * * *", 1)),
    ] {
        group.happened(&What::ScheduledPut(ScheduledPut { name: name.to_owned(), action }));
    }
    // Thirty years of minutes later, at half past nine.
    let now = start + Duration::from_hours(30 * 365 * 24) + Duration::from_mins(9 * 60 + 30);
    let mut done = Vec::new();
    for what in decide_by_schedule(&group, now) {
        match what {
            What::ScheduledPut(put) => assert!(put.action.next > now, "{put:?}"),
            What::Wanted(wanted) => done.push((wanted.said.unwrap().at, wanted.desired.count())),
            other => panic!("{other:?}"),
        }
    }
    let before = |minutes| now - Duration::from_mins(minutes);
    assert_eq!(done, [(before(930), 1), (before(30), 5), (now, 3)]);
}
