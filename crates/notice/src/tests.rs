//! Topics as they are made, changed, subscribed to, and found again.

use tidemill_base::{AccountId, Chance, Clock, Region};
use tidemill_journal::cbor::Written as _;
use tidemill_journal::{Kind, MemoryDriver, Options, RecordRef};

use crate::record::{Event, RawSet, Subscribed, What};
use crate::*;

fn open(driver: &MemoryDriver) -> Notices {
    let (clock, chance) = (Clock::system(), Chance::seeded(1));
    Notices::open(driver.clone(), Options::default(), clock, chance).unwrap()
}

fn key(name: &str) -> TopicKey {
    let (account, region) = (AccountId::DEFAULT, Region::default());
    TopicKey { account, region, name: name.parse().unwrap() }
}

fn queue(name: &str) -> Target {
    let (account, region) = (AccountId::DEFAULT, Region::default());
    Target::Queue(Queue { account, region, name: name.parse().unwrap() })
}

fn tags(all: &[(&str, &str)]) -> Tags {
    all.iter().map(|&(key, value)| (key.to_owned(), value.to_owned())).collect()
}

fn refusal<T: std::fmt::Debug>(done: Result<T, NoticeError>) -> Refusal {
    match done {
        Err(NoticeError::Refused(refusal)) => refusal,
        other => panic!("it was not refused: {other:?}"),
    }
}

#[test]
fn a_name_has_letters_digits_hyphens_and_underscores() {
    for good in ["a", "Orders-2_b", &"t".repeat(256)] {
        assert_eq!(good.parse::<TopicName>().unwrap().as_str(), good);
    }
    for bad in ["", "a.fifo", "a b", "é", "a:b", &"t".repeat(257)] {
        assert_eq!(bad.parse::<TopicName>(), Err(BadTopicName), "{bad:?}");
    }
}

#[test]
fn a_topics_key_is_stored_as_a_list_of_three() {
    let bytes = minicbor::to_vec(key("orders")).unwrap();
    assert_eq!(bytes, b"\x83\x00\x69us-east-1\x66orders");
    assert_eq!(minicbor::decode::<TopicKey>(&bytes).unwrap(), key("orders"));
}

#[tokio::test]
async fn a_topic_is_made_once_and_found_again() {
    let topics = open(&MemoryDriver::new());
    let asked = || NewTopic {
        display_name: Some("Orders".into()),
        policy: None,
        tags: tags(&[("a", "1"), ("b", "2")]),
    };
    topics.create(key("orders"), asked()).await.unwrap();
    topics.create(key("orders"), asked()).await.unwrap();
    let fewer = NewTopic { tags: tags(&[("b", "2")]), ..NewTopic::default() };
    topics.create(key("orders"), fewer).await.unwrap();
    let other = NewTopic { tags: tags(&[("b", "3")]), ..NewTopic::default() };
    let other = topics.create(key("orders"), other).await;
    assert_eq!(refusal(other), Refusal::OtherTags);
    let other = NewTopic { display_name: Some("Others".into()), ..NewTopic::default() };
    let other = topics.create(key("orders"), other).await;
    assert_eq!(refusal(other), Refusal::OtherSettings);
    topics.delete(key("orders")).await.unwrap();
    topics.delete(key("orders")).await.unwrap();
    assert!(topics.look(|state| state.topic(&key("orders")).is_none()));
}

#[tokio::test]
async fn who_subscribes_twice_is_told_once() {
    let topics = open(&MemoryDriver::new());
    topics.create(key("orders"), NewTopic::default()).await.unwrap();
    let id = topics.subscribe(&key("orders"), queue("one"), None).await.unwrap();
    let again = topics.subscribe(&key("orders"), queue("one"), Some(false)).await.unwrap();
    assert_eq!(id, again);
    let other = topics.subscribe(&key("orders"), queue("one"), Some(true)).await;
    assert_eq!(refusal(other), Refusal::OtherForm);
    topics.set_raw(&key("orders"), id, true).await.unwrap();
    let same = topics.subscribe(&key("orders"), queue("one"), Some(true)).await.unwrap();
    assert_eq!(id, same);
    topics.unsubscribe(key("orders"), id).await.unwrap();
    topics.unsubscribe(key("orders"), id).await.unwrap();
    let gone = topics.set_raw(&key("orders"), id, false).await;
    assert_eq!(refusal(gone), Refusal::NoSubscription);
    let counts = topics.look(|state| {
        let topic = state.topic(&key("orders")).unwrap();
        (topic.subscriptions().len(), topic.unsubscribed)
    });
    assert_eq!(counts, (0, 1));
    let none = topics.subscribe(&key("others"), queue("one"), None).await;
    assert_eq!(refusal(none), Refusal::NoTopic);
}

#[tokio::test]
async fn there_are_so_many_topics_subscriptions_and_tags_and_no_more() {
    let topics = open(&MemoryDriver::new());
    for number in 0..TOPICS {
        topics.create(key(&format!("t-{number}")), NewTopic::default()).await.unwrap();
    }
    let more = topics.create(key("more"), NewTopic::default()).await;
    assert_eq!(refusal(more), Refusal::TooManyTopics(TOPICS));
    let first = key("t-0");
    for number in 0..SUBSCRIPTIONS {
        topics.subscribe(&first, queue(&format!("q-{number}")), None).await.unwrap();
    }
    let more = topics.subscribe(&first, queue("more"), None).await;
    assert_eq!(refusal(more), Refusal::TooManySubscriptions(SUBSCRIPTIONS));
    for number in 0..TAGS {
        topics.tag(&first, tags(&[(&format!("k-{number}"), "v")])).await.unwrap();
    }
    topics.tag(&first, tags(&[("k-0", "w")])).await.unwrap();
    let more = topics.tag(&first, tags(&[("more", "v")])).await;
    assert_eq!(refusal(more), Refusal::TooManyTags(TAGS));
    topics.untag(&first, vec!["k-0".into(), "nobody".into()]).await.unwrap();
    topics.tag(&first, tags(&[("more", "v")])).await.unwrap();
}

#[tokio::test]
async fn topics_are_listed_a_page_at_a_time() {
    let topics = open(&MemoryDriver::new());
    for name in ["c", "a", "b"] {
        topics.create(key(name), NewTopic::default()).await.unwrap();
        topics.subscribe(&key(name), queue("one"), None).await.unwrap();
        topics.subscribe(&key(name), queue("two"), None).await.unwrap();
    }
    let elsewhere = TopicKey { region: "eu-west-1".parse().unwrap(), ..key("d") };
    topics.create(elsewhere, NewTopic::default()).await.unwrap();
    topics.look(|state| {
        let (account, region) = (AccountId::DEFAULT, Region::default());
        let first = state.page(account, &region, None, 2);
        assert_eq!(first, [&key("a"), &key("b")]);
        let rest = state.page(account, &region, first.last().copied(), 2);
        assert_eq!(rest, [&key("c")]);
        let some = state.subscriptions(account, &region, None, 5);
        assert_eq!(some.len(), 5);
        let (topic, id, _) = some[4];
        let rest = state.subscriptions(account, &region, Some((topic, id)), 5);
        assert_eq!(rest.len(), 1);
        assert!((rest[0].0, rest[0].1) > (topic, id));
    });
}

#[tokio::test]
async fn what_was_done_is_found_again_from_the_log_and_from_a_checkpoint() {
    let driver = MemoryDriver::new();
    let topics = open(&driver);
    let asked = NewTopic { tags: tags(&[("a", "1")]), ..NewTopic::default() };
    topics.create(key("orders"), asked).await.unwrap();
    topics.set_display_name(&key("orders"), "Orders".into()).await.unwrap();
    topics.set_policy(&key("orders"), Some("{}".into())).await.unwrap();
    let id = topics.subscribe(&key("orders"), queue("one"), Some(true)).await.unwrap();
    topics.subscribe(&key("orders"), queue("two"), None).await.unwrap();
    topics.unsubscribe(key("orders"), id).await.unwrap();
    topics.create(key("gone"), NewTopic::default()).await.unwrap();
    topics.delete(key("gone")).await.unwrap();
    let before = topics.look(State::clone);
    topics.close().unwrap();
    let topics = open(&driver);
    assert_eq!(topics.look(State::clone), before);
    topics.checkpoint().unwrap();
    topics.close().unwrap();
    let topics = open(&driver);
    assert_eq!(topics.look(State::clone), before);
    topics.clear().await.unwrap();
    assert_eq!(topics.look(State::clone), State::default());
}

#[test]
fn every_record_reads_as_it_was_written_and_no_other_version_does() {
    let id = SubscriptionId::from_bytes([7; 16]);
    let subscription = Subscription { target: queue("one"), raw: true };
    let whats = [
        What::Made(Topic { tags: tags(&[("a", "1")]), ..Topic::default() }),
        What::Gone(()),
        What::Named("Orders".into()),
        What::Governed(None),
        What::Tagged(tags(&[("a", "1")])),
        What::Untagged(vec!["a".into()]),
        What::Subscribed(Subscribed { id, subscription }),
        What::RawSet(RawSet { id, raw: true }),
        What::Unsubscribed(id),
    ];
    let events = whats.map(|what| Event::Of(key("orders"), what));
    for event in events.into_iter().chain([Event::Cleared]) {
        let record = event.record();
        assert_eq!(Event::read(record.as_ref()), Ok(event));
        let later = RecordRef { version: record.version + 1, ..record.as_ref() };
        assert!(Event::read(later).is_err());
    }
    assert!(Event::read(RecordRef { kind: Kind(99), version: 1, payload: b"" }).is_err());
}

#[test]
fn the_bytes_of_a_record_stay_what_they_are() {
    let event = Event::Of(key("t"), What::Named("N".into()));
    let record = event.record();
    let expected = b"\x82\x83\x00\x69us-east-1\x61t\x61N";
    assert_eq!((record.kind, record.version, &record.payload[..]), (Kind(3), 1, &expected[..]));
}
