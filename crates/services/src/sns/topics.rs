//! CreateTopic, DeleteTopic, ListTopics, GetTopicAttributes and SetTopicAttributes.

use serde_json::json;
use tidemill_api::sns::{
    CreateTopicInput, CreateTopicResponse, GetTopicAttributesInput, GetTopicAttributesResponse,
    ListTopicsInput, ListTopicsResponse, SetTopicAttributesInput, Topic as Listed,
};
use tidemill_notice::{NewTopic, Topic, TopicKey};
use tidemill_wire::{Fault, Map};

use super::attributes::{self, DISPLAY_NAME, POLICY, Setting};
use super::{Sns, arn, fault, named, page, tags};
use crate::context::Context;

/// What the usual policy lets the owner do.
const OWNERS: [&str; 8] = [
    "SNS:GetTopicAttributes",
    "SNS:SetTopicAttributes",
    "SNS:AddPermission",
    "SNS:RemovePermission",
    "SNS:DeleteTopic",
    "SNS:Subscribe",
    "SNS:ListSubscriptionsByTopic",
    "SNS:Publish",
];

pub(super) async fn create(
    service: &Sns,
    cx: &Context<'_>,
    it: CreateTopicInput,
) -> Result<CreateTopicResponse, Fault> {
    service.may_change()?;
    if it.data_protection_policy.is_some() {
        return Err(fault::invalid("DataProtectionPolicy Reason: it is not supported by Tidemill"));
    }
    let given = it.attributes.unwrap_or_default();
    let fifo = given.get("FifoTopic").is_some_and(|value| value == "true");
    if fifo || it.name.strip_suffix(".fifo").is_some() {
        return Err(fault::invalid(
            "FifoTopic Reason: FIFO topics are not supported by Tidemill, whose topics are \
             standard ones",
        ));
    }
    let (account, region) = (cx.account(), cx.region.clone());
    let name = it.name.parse().map_err(|_| fault::invalid("Topic Name"))?;
    let key = TopicKey { account, region, name };
    let mut new = NewTopic { tags: tags::read(it.tags.unwrap_or_default())?, ..Default::default() };
    for setting in attributes::of_new_topic(given)? {
        match setting {
            Setting::DisplayName(name) => new.display_name = Some(name),
            Setting::Policy(policy) => new.policy = policy,
        }
    }
    let topic_arn = Some(arn::of_topic(&key));
    service.topics.create(key, new).await.map_err(fault::of)?;
    Ok(CreateTopicResponse { topic_arn })
}

pub(super) async fn delete(service: &Sns, cx: &Context<'_>, arn: &str) -> Result<(), Fault> {
    service.may_change()?;
    let key = named(cx, arn, "DeleteTopic")?;
    service.topics.delete(key).await.map_err(fault::of)
}

pub(super) fn list(
    service: &Sns,
    cx: &Context<'_>,
    it: &ListTopicsInput,
) -> Result<ListTopicsResponse, Fault> {
    let (account, region) = (cx.account(), &cx.region);
    let after = page::after(it.next_token.as_deref(), |name| {
        Some(TopicKey { account, region: region.clone(), name: name.parse().ok()? })
    })?;
    let mut found: Vec<TopicKey> = service.topics.look(|state| {
        let found = state.page(account, region, after.as_ref(), page::SIZE + 1);
        found.into_iter().cloned().collect()
    });
    let next_token = page::cut(&mut found, |key| key.name.to_string());
    let topics = found.iter().map(|key| Listed { topic_arn: Some(arn::of_topic(key)) });
    Ok(ListTopicsResponse { topics: Some(topics.collect()), next_token })
}

pub(super) fn get(
    service: &Sns,
    cx: &Context<'_>,
    it: &GetTopicAttributesInput,
) -> Result<GetTopicAttributesResponse, Fault> {
    let key = named(cx, &it.topic_arn, "GetTopicAttributes")?;
    let shown = service.topics.look(|state| state.topic(&key).map(|topic| shown(&key, topic)));
    let attributes = shown.ok_or_else(fault::no_topic)?;
    Ok(GetTopicAttributesResponse { attributes: Some(attributes) })
}

pub(super) async fn set(
    service: &Sns,
    cx: &Context<'_>,
    it: SetTopicAttributesInput,
) -> Result<(), Fault> {
    service.may_change()?;
    let key = named(cx, &it.topic_arn, "SetTopicAttributes")?;
    let done = match attributes::of_topic(&it.attribute_name, it.attribute_value)? {
        Setting::DisplayName(name) => service.topics.set_display_name(&key, name).await,
        Setting::Policy(policy) => service.topics.set_policy(&key, policy).await,
    };
    done.map_err(fault::of)
}

fn shown(key: &TopicKey, topic: &Topic) -> Map<String, String> {
    let policy = topic.policy.clone().unwrap_or_else(|| usual_policy(key));
    let all = [
        (DISPLAY_NAME, topic.display_name.clone()),
        ("Owner", key.account.to_string()),
        (POLICY, policy),
        ("SubscriptionsConfirmed", topic.subscriptions().len().to_string()),
        ("SubscriptionsDeleted", topic.unsubscribed.to_string()),
        ("SubscriptionsPending", "0".to_owned()),
        ("TopicArn", arn::of_topic(key)),
    ];
    all.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// The policy of a topic to which nobody gave one.
fn usual_policy(key: &TopicKey) -> String {
    let statement = json!({
        "Sid": "__default_statement_ID",
        "Effect": "Allow",
        "Principal": { "AWS": "*" },
        "Action": OWNERS,
        "Resource": arn::of_topic(key),
        "Condition": { "StringEquals": { "AWS:SourceOwner": key.account.to_string() } },
    });
    let (version, id) = ("2008-10-17", "__default_policy_ID");
    json!({ "Version": version, "Id": id, "Statement": [statement] }).to_string()
}
