//! ListMessageMoveTasks.

use tidemill_api::sqs::{
    ListMessageMoveTasksRequest, ListMessageMoveTasksResult,
    ListMessageMoveTasksResultEntry as Entry,
};
use tidemill_queue::{Move, MoveFailure, MoveStatus, QueueKey};
use tidemill_wire::Fault;

use crate::context::Context;

use super::queue_arn::QueueArn;
use super::{Sqs, fault, move_task, task_handle};

/// Most tasks of an answer.
const MOST: usize = 10;

pub(super) fn handle(
    sqs: &Sqs,
    cx: &Context<'_>,
    request: &ListMessageMoveTasksRequest,
) -> Result<ListMessageMoveTasksResult, Fault> {
    let (source, key) = move_task::queue(sqs, cx, "SourceArn", &request.source_arn)?;
    let most = request.max_results.map_or(Ok(1), most)?;
    let moves = sqs.engine.moves(source, most).map_err(|it| fault::of(it.into(), ""))?;
    let results: Vec<_> = moves.iter().map(|task| told(task, &key)).collect();
    Ok(ListMessageMoveTasksResult { results: (!results.is_empty()).then_some(results) })
}

fn most(number: i32) -> Result<usize, Fault> {
    let number = usize::try_from(number).ok();
    number.filter(|number| (1..=MOST).contains(number)).ok_or_else(|| {
        fault::invalid(format!(
            "Value for parameter MaxResults is invalid. Reason: You must enter a number that's \
             between 1 and {MOST}."
        ))
    })
}

/// A task as a caller is told it. Only one that is under way has a handle: there is nothing to do
/// with another's.
fn told(task: &Move, source: &QueueKey) -> Entry {
    let (status, failure) = match task.status {
        MoveStatus::Running => ("RUNNING", None),
        MoveStatus::Completed => ("COMPLETED", None),
        MoveStatus::Cancelled => ("CANCELLED", None),
        MoveStatus::Failed(failure) => ("FAILED", Some(reason(failure))),
    };
    let running = task.status == MoveStatus::Running;
    let number = |count: u64| Some(i64::try_from(count).unwrap_or(i64::MAX));
    Entry {
        task_handle: running.then(|| task_handle::write(task.id, source)),
        status: Some(status.to_owned()),
        source_arn: Some(QueueArn(source).to_string()),
        destination_arn: task.destination.as_ref().map(|it| QueueArn(it).to_string()),
        max_number_of_messages_per_second: task.per_second.and_then(|it| i32::try_from(it).ok()),
        approximate_number_of_messages_moved: number(task.moved),
        approximate_number_of_messages_to_move: number(task.to_move),
        failure_reason: failure.map(str::to_owned),
        started_timestamp: number(task.started.as_millis()),
    }
}

fn reason(failure: MoveFailure) -> &'static str {
    match failure {
        MoveFailure::NoSuchQueue => "AWS.SimpleQueueService.NonExistentQueue",
        MoveFailure::UnknownSource => "CouldNotDetermineMessageSource",
        MoveFailure::NotStored => "CouldNotStoreMessage",
    }
}
