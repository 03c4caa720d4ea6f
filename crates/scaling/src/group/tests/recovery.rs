//! A service that dies, and the one after it.

use super::*;

/// Dies after each number of steps in turn, until it gets through.
#[tokio::test]
async fn a_service_that_dies_anywhere_neither_doubles_nor_loses_an_instance() {
    for left in 1..1000 {
        let mut bench = Bench::with_group(3).await;
        let mut died = false;
        for (desired, kill) in [(3, true), (1, false), (5, true), (2, true), (0, true)] {
            if bench.group().desired != Workers::new(desired) {
                bench.want(desired).await;
            }
            if kill {
                bench.left = left;
                bench.settle().await;
                died |= bench.left == 0;
                bench.machines_go_on();
                bench.restart();
            }
            bench.settle().await;
            let running = bench.running();
            assert_eq!(running.len(), desired as usize, "{left}: {:?}", bench.group());
            let known: Vec<InstanceId> = bench.group().members().map(|it| it.id).collect();
            assert_eq!(known, running, "nobody runs that the group does not know");
        }
        let ended = |activity: &Activity| activity.end.is_some();
        assert!(bench.activities().iter().all(ended));
        if !died {
            assert!(left > 10, "it had little to do: {left}");
            return;
        }
    }
    panic!("it never gets through");
}
