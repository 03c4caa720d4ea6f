//! Publish.

use tidemill_api::sns::{PublishInput, PublishResponse};
use tidemill_base::MessageId;
use tidemill_wire::Fault;

use super::deliver::Published;
use super::message::Given;
use super::{Sns, arn, check_owner, fault};
use crate::context::Context;

pub(super) async fn handle(
    service: &Sns,
    cx: &Context<'_>,
    it: PublishInput,
) -> Result<PublishResponse, Fault> {
    let given = Given {
        message: it.message,
        subject: it.subject,
        structure: it.message_structure,
        attributes: it.message_attributes,
        group_id: it.message_group_id,
        deduplication_id: it.message_deduplication_id,
    };
    if it.phone_number.is_some() {
        return Err(fault::invalid(
            "PhoneNumber Reason: text messages are not supported by Tidemill, whose topics deliver \
             to sqs",
        ));
    }
    let (text, parameter) = match (&it.topic_arn, &it.target_arn) {
        (Some(arn), None) => (arn, "TopicArn"),
        (None, Some(arn)) => (arn, "TargetArn"),
        (Some(_), Some(_)) => {
            let message = "TopicArn or TargetArn Reason: both are specified";
            return Err(fault::invalid(message));
        }
        (None, None) => {
            let message = "TopicArn or TargetArn Reason: no value for required parameter";
            return Err(fault::invalid(message));
        }
    };
    if parameter == "TargetArn" && text.contains(":endpoint/") {
        let message = "TargetArn Reason: No endpoint found for the target arn specified";
        return Err(fault::invalid(message));
    }
    let topic = arn::topic(text, parameter)?;
    check_owner(cx, &topic, text, "Publish")?;
    if topic.region != cx.region {
        return Err(fault::invalid(parameter));
    }
    let (message, _) = given.check()?;
    let base = cx.base_url.to_string();
    let published = Published { topic: &topic, base: &base, trace: cx.trace_header };
    let ids = service.publish(&published, &[message]).await.map_err(|it| fault::of_disk(&it))?;
    let ids = ids.ok_or_else(fault::no_topic)?;
    let message_id = ids.first().map(MessageId::text);
    Ok(PublishResponse { message_id, sequence_number: None })
}
