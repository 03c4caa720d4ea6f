//! Hooks, and who waits for them.

use super::*;

#[tokio::test]
async fn a_token_is_of_one_hook_and_good_once() {
    let mut bench = Bench::new();
    let hooks = [("one", Transition::Launching), ("two", Transition::Launching)];
    bench.make_with(settings(0, 10), 1, &hooks).await.unwrap();
    bench.settle().await;
    let token = bench.only().waits.iter().find(|wait| wait.hook == "one").unwrap().token;
    let who = Waiter::Token(token);
    let answer =
        async |hook| bench.groups.answer(&key(), hook, who, Answer::Continue).await.is_ok();
    assert!(!answer("two").await);
    assert!(answer("one").await);
    assert!(!answer("one").await && bench.groups.renew(&key(), "one", who).await.is_err());
}

#[tokio::test]
async fn who_waits_for_a_hook_that_is_deleted_goes_the_way_it_was_on() {
    for (first, then) in [
        (Transition::Launching, Transition::Terminating),
        (Transition::Terminating, Transition::Launching),
    ] {
        let mut bench = Bench::new();
        bench.make_with(settings(0, 10), 1, &[("wait", first)]).await.unwrap();
        bench.settle().await;
        let one = bench.only().id;
        if first == Transition::Terminating {
            bench.want(0).await;
            bench.settle().await;
        }
        assert!(bench.only().state.waits());
        bench.groups.put_hook(&key(), "wait".to_owned(), |_| Ok(hook(then))).await.unwrap();
        bench.groups.delete_hook(&key(), "wait").await.unwrap();
        bench.settle().await;
        // One that came is given up; one that went is gone.
        assert_eq!(bench.sight(one), Sight::Gone(None), "{first:?}");
        let failed = bench.activities().iter().any(|it| it.end.as_ref().unwrap().message.is_some());
        assert_eq!(failed, first == Transition::Launching);
    }
}

#[tokio::test]
async fn one_that_goes_does_so_since_it_began_to() {
    let mut bench = Bench::new();
    let hooks = [("wait", Transition::Terminating)];
    bench.make_with(settings(0, 10), 1, &hooks).await.unwrap();
    bench.settle().await;
    bench.want(0).await;
    bench.settle().await;
    let since = bench.only().since;
    bench.clock.advance(Duration::from_secs(10));
    let who = Waiter::Instance(bench.only().id);
    bench.groups.answer(&key(), "wait", who, Answer::Continue).await.unwrap();
    bench.pass().await;
    assert_eq!((bench.only().state, bench.only().since), (Lifecycle::TerminatingProceed, since));
}

#[tokio::test]
async fn hooks_of_a_new_group_are_as_few_as_of_any_and_each_has_a_name_of_its_own() {
    let bench = Bench::new();
    let refused = async |hooks: &[(&str, Transition)]| {
        bench.make_with(settings(0, 10), 0, hooks).await.unwrap_err()
    };
    let twice = [("one", Transition::Launching), ("one", Transition::Terminating)];
    assert!(matches!(refused(&twice).await, GroupError::Refused(Refusal::BadHook(_))));
    let names: Vec<String> = (0..=HOOKS).map(|number| number.to_string()).collect();
    let many: Vec<_> = names.iter().map(|name| (&**name, Transition::Launching)).collect();
    assert!(matches!(refused(&many).await, GroupError::Refused(Refusal::TooManyHooks(HOOKS))));
    bench.make_with(settings(0, 10), 0, &many[1..]).await.unwrap();
}
