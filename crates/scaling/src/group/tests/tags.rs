//! Tags of groups.

use super::*;

#[tokio::test]
async fn tags_are_set_and_taken_of_all_groups_or_of_none() {
    let bench = Bench::with_group(0).await;
    let tag = Tag { value: "blue".to_owned(), propagates: true };
    let tags = Tags::from([("team".to_owned(), tag)]);
    let nobody = GroupKey { name: "nobody".to_owned(), ..key() };
    let both = [key(), nobody];
    let given = both.clone().map(|key| (key, tags.clone())).to_vec();
    assert!(bench.groups.tag(given).await.is_err());
    assert_eq!(bench.group().tags, Tags::new());
    bench.groups.tag(vec![(key(), tags.clone())]).await.unwrap();
    assert!(bench.groups.untag(&both, |_, _, _| true).await.is_err());
    assert_eq!(bench.group().tags, tags);
}
