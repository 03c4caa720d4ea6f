//! CancelMessageMoveTask.

use tidemill_api::sqs::{CancelMessageMoveTaskRequest, CancelMessageMoveTaskResult};
use tidemill_wire::Fault;

use crate::context::Context;

use super::{Sqs, fault, move_task, task_handle};

pub(super) async fn handle(
    sqs: &Sqs,
    cx: &Context<'_>,
    request: &CancelMessageMoveTaskRequest,
) -> Result<CancelMessageMoveTaskResult, Fault> {
    let handle = task_handle::read(&request.task_handle).ok_or_else(fault::bad_task_handle)?;
    let (source, _) = move_task::known(sqs, cx, "SourceArn", handle.source)?;
    let id = handle.id.filter(|id| id.source() == source).ok_or_else(fault::no_such_task)?;
    let moved = sqs.engine.cancel_move(id).await.map_err(|it| fault::of(it, ""))?;
    let moved = i64::try_from(moved).unwrap_or(i64::MAX);
    Ok(CancelMessageMoveTaskResult { approximate_number_of_messages_moved: Some(moved) })
}
