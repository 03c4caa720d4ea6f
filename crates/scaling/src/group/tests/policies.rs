//! Policies of a group.

use super::*;

#[tokio::test]
async fn two_targets_of_a_group_are_for_two_metrics() {
    let bench = Bench::with_group(0).await;
    let target = |metric: u8| Target {
        target: 1.0,
        disable_scale_in: true,
        warm_up: None,
        metric: vec![metric],
        high: "high".to_owned(),
        low: None,
    };
    let put = async |name, metric| {
        bench.groups.put_policy(&key(), name, true, Way::Tracking(target(metric))).await
    };
    put("one", 1).await.unwrap();
    put("one", 1).await.unwrap();
    let refused = put("two", 1).await;
    assert!(matches!(refused, Err(GroupError::Refused(Refusal::SameMetric))));
    put("two", 2).await.unwrap();
}
