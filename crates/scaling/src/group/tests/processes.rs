//! Processes that rest.

use super::*;

#[tokio::test]
async fn suspended_processes_rest() {
    let mut bench = Bench::with_group(1).await;
    bench.settle().await;
    bench.groups.suspend(&key(), &[Process::Launch, Process::Terminate], true).await.unwrap();
    bench.want(3).await;
    bench.settle().await;
    assert_eq!(bench.running().len(), 1);
    bench.want(0).await;
    bench.settle().await;
    assert_eq!(bench.running().len(), 1);
    bench.groups.suspend(&key(), &Process::ALL, false).await.unwrap();
    bench.settle().await;
    assert_eq!(bench.running().len(), 0);
}
