//! Groups that are deleted.

use super::*;

#[tokio::test]
async fn a_group_is_deleted_when_it_is_empty_or_by_force() {
    let mut bench = Bench::with_group(2).await;
    bench.settle().await;
    let refused = bench.groups.delete(&key(), false).await;
    assert!(matches!(refused, Err(GroupError::Refused(Refusal::HasInstances))));
    bench.groups.spare(&key(), bench.running(), true).await.unwrap();
    let (one, how) = (bench.running()[0], Stand::Enter { shrink: false });
    bench.groups.stand(&key(), &[one], how).await.unwrap();
    bench.groups.delete(&key(), true).await.unwrap();
    let refused = bench.groups.set_desired(&key(), Workers::new(1), false, Cause::Set).await;
    assert!(matches!(refused, Err(GroupError::Refused(Refusal::Closing(_)))));
    for _ in 0..4 {
        bench.pass().await;
        bench.machines_go_on();
    }
    assert_eq!(bench.running(), []);
    assert!(bench.groups.look(|state| state.group(&key()).is_none()));
    // What it did is remembered.
    assert_eq!(bench.activities().len(), 5);
}

#[tokio::test]
async fn nothing_keeps_an_instance_of_a_group_that_is_deleted_by_force() {
    for is_there in [false, true] {
        let mut bench = Bench::new();
        bench.make(Settings { protects_new: true, ..settings(0, 10) }, 1).await;
        if is_there {
            bench.settle().await;
            bench.groups.delete(&key(), true).await.unwrap();
            bench.groups.spare(&key(), bench.running(), true).await.unwrap();
        } else {
            // Its machine was launched, and the group does not know of it yet.
            bench.left = 2;
            assert_eq!((bench.pass().await, bench.launched.len()), (None, 1));
            bench.left = usize::MAX;
            bench.groups.delete(&key(), true).await.unwrap();
        }
        bench.groups.suspend(&key(), &Process::ALL, true).await.unwrap();
        for _ in 0..5 {
            bench.pass().await;
            bench.machines_go_on();
        }
        assert_eq!(bench.running(), []);
        assert!(bench.groups.look(|state| state.group(&key()).is_none()), "{is_there}");
    }
}
