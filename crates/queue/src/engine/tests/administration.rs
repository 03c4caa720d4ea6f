//! Queues: made, found, listed, changed, emptied, removed.

use super::*;
use crate::refusal::{Error, PURGE_PAUSE, REMOVAL_PAUSE, Refusal};
use crate::settings::SettingName;

fn refusal(error: Error) -> Refusal {
    match error {
        Error::Refused(refusal) => refusal,
        Error::Failed(failure) => panic!("{failure}"),
    }
}

#[tokio::test]
async fn making_a_queue_twice_gives_the_same_queue_unless_it_should_differ() {
    let bench = Bench::new();
    let change = SettingsChange { delay: Some(SECOND), ..SettingsChange::default() };
    let made = bench.engine.create(key("a"), change.clone(), Tags::new()).await.unwrap();
    assert!(!made.existed);
    for wanted in [change, SettingsChange::default()] {
        let again = bench.engine.create(key("a"), wanted, Tags::new()).await.unwrap();
        assert_eq!((again.id, again.existed), (made.id, true));
    }
    let other = SettingsChange { delay: Some(2 * SECOND), ..SettingsChange::default() };
    let refused = bench.engine.create(key("a"), other, Tags::new()).await.unwrap_err();
    assert_eq!(refusal(refused), Refusal::Exists { setting: SettingName::Delay });
}

#[tokio::test]
async fn a_queue_is_found_by_its_key_and_listed_by_its_name() {
    let bench = Bench::new();
    let mut ids = Vec::new();
    for name in ["b-1", "a", "b-2", "c", "b-3"] {
        ids.push(bench.queue(name).await);
    }
    assert_eq!(bench.engine.find(&key("a")), Some(ids[1]));
    assert_eq!(bench.engine.find(&key("z")), None);
    let list = |prefix: &str, after: Option<&str>, limit| {
        let after = after.map(|name| name.parse().unwrap());
        let region = Region::default();
        let found = bench.engine.list(AccountId::DEFAULT, &region, prefix, after.as_ref(), limit);
        found.into_iter().map(|(name, _)| name.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(list("", None, 10), ["a", "b-1", "b-2", "b-3", "c"]);
    assert_eq!(list("b", None, 2), ["b-1", "b-2"]);
    assert_eq!(list("b", Some("b-2"), 2), ["b-3"]);
    assert_eq!(list("b", Some("a"), 1), ["b-1"]);
    let elsewhere = "eu-west-1".parse().unwrap();
    assert!(bench.engine.list(AccountId::DEFAULT, &elsewhere, "", None, 10).is_empty());
}

#[tokio::test]
async fn a_removed_queue_is_gone_and_its_name_stays_taken_for_a_while() {
    let bench = Bench::new();
    let old = bench.queue("a").await;
    bench.send(old, &["x"]).await;
    let receipt = bench.take(old, 1).await[0].receipt;
    bench.engine.remove(old).await.unwrap();
    assert_eq!(bench.engine.find(&key("a")), None);
    assert_eq!(bench.engine.describe(old), Err(Refusal::NoSuchQueue));
    let create = || bench.engine.create(key("a"), SettingsChange::default(), Tags::new());
    assert_eq!(refusal(create().await.unwrap_err()), Refusal::RemovedRecently);
    bench.advance(REMOVAL_PAUSE);
    let new = create().await.unwrap().id;
    assert_ne!(new, old);
    assert_eq!(bench.counts(new), (0, 0, 0));
    let answers = bench.engine.delete(new, &[receipt]).await.unwrap();
    assert_eq!(answers, [Err(Refusal::BadReceipt)]);
    let bench = bench.crash();
    assert_eq!(bench.engine.find(&key("a")), Some(new));
}

#[tokio::test]
async fn a_purge_drops_everything_and_may_be_repeated_after_a_minute() {
    let bench = Bench::new();
    let queue = bench.queue("a").await;
    bench.send(queue, &["visible", "flying"]).await;
    bench.engine.send(queue, delayed("delayed", SECOND)).await.unwrap();
    let receipt = bench.take(queue, 1).await[0].receipt;
    bench.engine.purge(queue).await.unwrap();
    assert_eq!(bench.counts(queue), (0, 0, 0));
    assert_eq!(bench.engine.delete(queue, &[receipt]).await.unwrap(), [Ok(())]);
    let again = bench.engine.purge(queue).await.unwrap_err();
    assert_eq!(refusal(again), Refusal::PurgedRecently);
    bench.advance(PURGE_PAUSE);
    bench.engine.purge(queue).await.unwrap();
    bench.send(queue, &["after"]).await;
    let bench = bench.crash();
    assert_eq!(bodies(&bench.take(queue, 10).await), ["after"]);
}

#[tokio::test]
async fn settings_and_tags_change_and_survive_a_crash() {
    let bench = Bench::new();
    let queue = bench.queue("a").await;
    bench.advance(SECOND);
    let mut change = SettingsChange { visibility: Some(SECOND), ..SettingsChange::default() };
    change.policy = Some(Some("{}".into()));
    change.extras.insert("kms".into(), Some("key".into()));
    bench.engine.configure(queue, change).await.unwrap();
    let tags = Tags::from([("x".into(), "1".into()), ("y".into(), "2".into())]);
    bench.engine.tag(queue, tags).await.unwrap();
    bench.engine.untag(queue, vec!["x".into(), "unknown".into()]).await.unwrap();
    let before = bench.engine.describe(queue).unwrap();
    assert_eq!(before.settings.visibility, SECOND);
    assert_eq!(before.tags.keys().collect::<Vec<_>>(), ["y"]);
    assert_eq!((before.created, before.modified), (START, START + SECOND));
    let bench = bench.crash();
    assert_eq!(bench.engine.describe(queue).unwrap(), before);
    assert_eq!(bench.engine.settings(queue).unwrap(), before.settings);
}
