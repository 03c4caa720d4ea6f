//! StartMessageMoveTask.

use tidemill_api::sqs::{StartMessageMoveTaskRequest, StartMessageMoveTaskResult};
use tidemill_wire::Fault;

use crate::context::Context;

use super::{Sqs, fault, move_task, task_handle};

/// Most messages a second that a caller can ask for.
const MOST_PER_SECOND: u32 = 500;

pub(super) async fn handle(
    sqs: &Sqs,
    cx: &Context<'_>,
    request: &StartMessageMoveTaskRequest,
) -> Result<StartMessageMoveTaskResult, Fault> {
    let (source, key) = move_task::queue(sqs, cx, "SourceArn", &request.source_arn)?;
    let destination = request.destination_arn.as_deref();
    let destination = destination
        .map(|arn| move_task::queue(sqs, cx, "DestinationArn", arn))
        .transpose()?
        .map(|(destination, _)| destination);
    let per_second = request.max_number_of_messages_per_second.map(per_second).transpose()?;
    let started = sqs.engine.start_move(source, destination, per_second).await;
    let id = started.map_err(|it| fault::of(it, ""))?;
    Ok(StartMessageMoveTaskResult { task_handle: Some(task_handle::write(id, &key)) })
}

fn per_second(number: i32) -> Result<u32, Fault> {
    let number = u32::try_from(number).ok();
    number.filter(|number| (1..=MOST_PER_SECOND).contains(number)).ok_or_else(|| {
        fault::invalid(format!(
            "Value for parameter MaxNumberOfMessagesPerSecond is invalid. Reason: You must enter \
             a number that's between 1 and {MOST_PER_SECOND}."
        ))
    })
}
