//! What is to be told of a group.

use super::*;

/// What is owed, as the kinds of notices and whom they are for.
fn owed(groups: &Groups) -> Vec<(u64, String, &'static str)> {
    groups.look(|state| {
        let each = state.owed().map(|(number, owed)| {
            let what = match &owed.notice {
                Notice::Trial(_) => "trial",
                Notice::Done { kind: Kind::Launched, .. } => "launched",
                Notice::Done { kind: Kind::LaunchFailed, .. } => "not launched",
                Notice::Done { kind: Kind::Terminated, .. } => "terminated",
                Notice::Done { .. } => "other",
                Notice::Waits { .. } => "waits",
            };
            (number, owed.target.clone(), what)
        });
        each.collect()
    })
}

fn words(owed: &[(u64, String, &'static str)]) -> Vec<&'static str> {
    owed.iter().map(|(_, _, what)| *what).collect()
}

#[tokio::test]
async fn what_a_group_does_is_owed_until_it_is_told_through_a_crash_and_a_checkpoint() {
    let mut bench = Bench::with_group(0).await;
    let kinds = BTreeSet::from([Kind::Launched, Kind::Terminated]);
    bench.groups.notify(&key(), "one".into(), kinds).await.unwrap();
    bench.groups.notify(&key(), "two".into(), BTreeSet::from([Kind::LaunchFailed])).await.unwrap();
    assert_eq!(words(&owed(&bench.groups)), ["trial", "trial"]);
    let trials = owed(&bench.groups).iter().map(|(number, ..)| *number).collect();
    bench.groups.told(trials).await.unwrap();
    bench.want(2).await;
    bench.settle().await;
    assert_eq!(words(&owed(&bench.groups)), ["launched", "launched"]);
    let before = owed(&bench.groups);
    bench.restart();
    assert_eq!(owed(&bench.groups), before);
    bench.groups.told(vec![before[0].0]).await.unwrap();
    bench.groups.told(vec![before[0].0, 99]).await.unwrap();
    bench.groups.checkpoint().unwrap();
    bench.restart();
    assert_eq!(owed(&bench.groups), before[1..]);
    bench.want(1).await;
    bench.settle().await;
    assert_eq!(words(&owed(&bench.groups)), ["launched", "terminated"]);
    bench.groups.stop_notifying(&key(), "one").await.unwrap();
    bench.groups.stop_notifying(&key(), "one").await.unwrap();
    bench.want(2).await;
    bench.settle().await;
    assert_eq!(owed(&bench.groups).len(), 2);
    bench.groups.clear().await.unwrap();
    assert_eq!(owed(&bench.groups), []);
}

#[tokio::test]
async fn a_launch_that_fails_is_owed_to_those_who_asked_for_that() {
    let mut bench = Bench::with_group(0).await;
    bench.groups.notify(&key(), "one".into(), BTreeSet::from([Kind::LaunchFailed])).await.unwrap();
    bench.broken = Some("there is no room");
    bench.want(1).await;
    bench.pass().await;
    bench.pass().await;
    assert_eq!(words(&owed(&bench.groups))[1..], ["not launched"]);
    let targets = |number: usize| format!("listener-{number}");
    for number in 1..LISTENERS {
        let kinds = BTreeSet::from([Kind::Launched]);
        bench.groups.notify(&key(), targets(number), kinds).await.unwrap();
    }
    let more = bench.groups.notify(&key(), "more".into(), BTreeSet::from([Kind::Launched])).await;
    let refused = matches!(more, Err(GroupError::Refused(Refusal::TooManyListeners(LISTENERS))));
    assert!(refused, "{more:?}");
}

#[tokio::test]
async fn who_waits_is_owed_to_whom_the_hook_names() {
    let mut bench = Bench::with_group(0).await;
    let asked = Hook { target: Some("one".into()), ..hook(Transition::Launching) };
    bench.groups.put_hook(&key(), "in".into(), |_| Ok(asked)).await.unwrap();
    let silent = hook(Transition::Launching);
    bench.groups.put_hook(&key(), "silent".into(), |_| Ok(silent)).await.unwrap();
    bench.want(1).await;
    bench.settle().await;
    assert_eq!(words(&owed(&bench.groups)), ["trial", "waits"]);
    bench.groups.look(|state| {
        let (_, owed) = state.owed().last().unwrap();
        let Notice::Waits { instance, wait, .. } = &owed.notice else { panic!("{owed:?}") };
        let member = state.group(&key()).unwrap().member(*instance).unwrap();
        assert_eq!(member.waits.iter().find(|it| it.hook == "in"), Some(&**wait));
    });
}
