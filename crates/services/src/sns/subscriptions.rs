//! Subscribe, Unsubscribe, ConfirmSubscription, ListSubscriptions, ListSubscriptionsByTopic,
//! GetSubscriptionAttributes and SetSubscriptionAttributes.

use tidemill_api::sns::{
    GetSubscriptionAttributesInput, GetSubscriptionAttributesResponse,
    ListSubscriptionsByTopicInput, ListSubscriptionsByTopicResponse, ListSubscriptionsInput,
    ListSubscriptionsResponse, SetSubscriptionAttributesInput, SubscribeInput, SubscribeResponse,
    Subscription as Listed,
};
use tidemill_notice::{Queue, Subscription, SubscriptionId, Target, TopicKey};
use tidemill_queue::QueueKey;
use tidemill_wire::Fault;

use super::{Sns, arn, attributes, check_owner, fault, page};
use crate::context::Context;
use crate::sqs;

/// How a queue is told.
const SQS: &str = "sqs";
/// How AWS tells others.
const OTHERS: [&str; 8] =
    ["application", "email", "email-json", "firehose", "http", "https", "lambda", "sms"];

pub(super) async fn subscribe(
    service: &Sns,
    cx: &Context<'_>,
    it: SubscribeInput,
) -> Result<SubscribeResponse, Fault> {
    service.may_change()?;
    let key = super::named(cx, &it.topic_arn, "Subscribe")?;
    check_protocol(&it.protocol)?;
    let queue = sqs::of_arn(it.endpoint.as_deref().unwrap_or_default());
    let queue = queue.ok_or_else(|| fault::invalid("SQS endpoint ARN"))?;
    if queue.account != key.account {
        return Err(fault::invalid(
            "Endpoint Reason: a topic of Tidemill delivers to queues of its own account",
        ));
    }
    if queue.name.is_fifo() {
        return Err(fault::invalid(
            "Invalid parameter: Endpoint Reason: FIFO SQS Queues can not be subscribed to \
             standard SNS topics",
        ));
    }
    let mut raw = None;
    for (name, value) in it.attributes.unwrap_or_default() {
        let told = |fault: Fault| match fault.message.strip_prefix("Invalid parameter: ") {
            Some(what) => fault::invalid(format!("Attributes Reason: {what}")),
            None => fault,
        };
        raw = Some(attributes::of_subscription(&name, &value).map_err(told)?);
    }
    let QueueKey { account, region, name } = queue;
    let target = Target::Queue(Queue { account, region, name });
    // It is there at once, of the same account: nobody has to confirm it, and ReturnSubscriptionArn
    // makes no difference.
    let id = service.topics.subscribe(&key, target, raw).await.map_err(fault::of)?;
    Ok(SubscribeResponse { subscription_arn: Some(arn::of_subscription(&key, id)) })
}

fn check_protocol(protocol: &str) -> Result<(), Fault> {
    if protocol == SQS {
        return Ok(());
    }
    if OTHERS.contains(&protocol) {
        return Err(fault::invalid(format!(
            "Protocol Reason: {protocol} is not supported by Tidemill, whose topics deliver to \
             {SQS}"
        )));
    }
    let what = format!("Amazon SNS does not support this protocol string: {protocol}");
    Err(fault::invalid(what))
}

/// A queue of the topic's own account needs no confirmation, and there is nobody else.
pub(super) fn confirm() -> Fault {
    fault::invalid("Token")
}

pub(super) async fn unsubscribe(service: &Sns, cx: &Context<'_>, arn: &str) -> Result<(), Fault> {
    service.may_change()?;
    // Wherever it is: whoever follows an UnsubscribeURL signs for no region.
    let (key, id) = arn::subscription(arn)?;
    check_owner(cx, &key, arn, "Unsubscribe")?;
    let Some(id) = id else { return Ok(()) };
    service.topics.unsubscribe(key, id).await.map_err(fault::of)
}

/// The subscription that a caller's ARN means, if the caller may use it.
fn named(
    cx: &Context<'_>,
    arn: &str,
    action: &str,
) -> Result<(TopicKey, Option<SubscriptionId>), Fault> {
    let (key, id) = arn::subscription(arn)?;
    check_owner(cx, &key, arn, action)?;
    if key.region != cx.region {
        return Err(fault::invalid("SubscriptionArn"));
    }
    Ok((key, id))
}

pub(super) fn get(
    service: &Sns,
    cx: &Context<'_>,
    it: &GetSubscriptionAttributesInput,
) -> Result<GetSubscriptionAttributesResponse, Fault> {
    let (key, id) = named(cx, &it.subscription_arn, "GetSubscriptionAttributes")?;
    let found = service.topics.look(|state| state.topic(&key)?.subscription(id?).cloned());
    let subscription = found.ok_or_else(fault::no_subscription)?;
    let all = [
        ("ConfirmationWasAuthenticated", "true".to_owned()),
        ("Endpoint", endpoint(&subscription)),
        ("Owner", key.account.to_string()),
        ("PendingConfirmation", "false".to_owned()),
        ("Protocol", SQS.to_owned()),
        (attributes::RAW, subscription.raw.to_string()),
        ("SubscriptionArn", it.subscription_arn.clone()),
        ("TopicArn", arn::of_topic(&key)),
    ];
    let attributes = all.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    Ok(GetSubscriptionAttributesResponse { attributes: Some(attributes) })
}

pub(super) async fn set(
    service: &Sns,
    cx: &Context<'_>,
    it: SetSubscriptionAttributesInput,
) -> Result<(), Fault> {
    service.may_change()?;
    let (key, id) = named(cx, &it.subscription_arn, "SetSubscriptionAttributes")?;
    let value = it.attribute_value.unwrap_or_default();
    let raw = attributes::of_subscription(&it.attribute_name, &value)?;
    let id = id.ok_or_else(fault::no_subscription)?;
    service.topics.set_raw(&key, id, raw).await.map_err(fault::of)
}

pub(super) fn list(
    service: &Sns,
    cx: &Context<'_>,
    it: &ListSubscriptionsInput,
) -> Result<ListSubscriptionsResponse, Fault> {
    let (account, region) = (cx.account(), &cx.region);
    let after = page::after(it.next_token.as_deref(), |last| {
        let (name, id) = last.split_once(':')?;
        let key = TopicKey { account, region: region.clone(), name: name.parse().ok()? };
        Some((key, id.parse().ok()?))
    })?;
    let mut found = service.topics.look(|state| {
        let after = after.as_ref().map(|(key, id)| (key, *id));
        let found = state.subscriptions(account, region, after, page::SIZE + 1);
        let owned = |(key, id, it): (&TopicKey, SubscriptionId, &Subscription)| {
            (key.clone(), id, it.clone())
        };
        found.into_iter().map(owned).collect::<Vec<_>>()
    });
    let next_token = page::cut(&mut found, |(key, id, _)| format!("{}:{id}", key.name));
    let subscriptions = found.iter().map(|(key, id, it)| listed(key, *id, it)).collect();
    Ok(ListSubscriptionsResponse { subscriptions: Some(subscriptions), next_token })
}

pub(super) fn list_of(
    service: &Sns,
    cx: &Context<'_>,
    it: &ListSubscriptionsByTopicInput,
) -> Result<ListSubscriptionsByTopicResponse, Fault> {
    let key = super::named(cx, &it.topic_arn, "ListSubscriptionsByTopic")?;
    let after: Option<SubscriptionId> =
        page::after(it.next_token.as_deref(), |last| last.parse().ok())?;
    let found = service.topics.look(|state| {
        let behind = state.topic(&key)?.subscriptions();
        let behind = behind.filter(|(id, _)| after.is_none_or(|after| *id > after));
        Some(behind.take(page::SIZE + 1).map(|(id, it)| (id, it.clone())).collect::<Vec<_>>())
    });
    let mut found = found.ok_or_else(fault::no_topic)?;
    let next_token = page::cut(&mut found, |(id, _)| id.to_string());
    let subscriptions = found.iter().map(|(id, it)| listed(&key, *id, it)).collect();
    Ok(ListSubscriptionsByTopicResponse { subscriptions: Some(subscriptions), next_token })
}

fn listed(key: &TopicKey, id: SubscriptionId, it: &Subscription) -> Listed {
    Listed {
        subscription_arn: Some(arn::of_subscription(key, id)),
        owner: Some(key.account.to_string()),
        protocol: Some(SQS.to_owned()),
        endpoint: Some(endpoint(it)),
        topic_arn: Some(arn::of_topic(key)),
    }
}

fn endpoint(it: &Subscription) -> String {
    let Target::Queue(queue) = &it.target;
    sqs::arn(&queue_key(queue))
}

/// A queue as the engine of queues knows it.
pub(super) fn queue_key(queue: &Queue) -> QueueKey {
    let Queue { account, region, name } = queue.clone();
    QueueKey { account, region, name }
}
