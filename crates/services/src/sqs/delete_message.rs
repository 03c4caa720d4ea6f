//! DeleteMessage and DeleteMessageBatch.

use tidemill_api::sqs::{
    DeleteMessageBatchRequest, DeleteMessageBatchResult, DeleteMessageBatchResultEntry as Deleted,
    DeleteMessageRequest,
};
use tidemill_queue::{Each, Engine, Error, Position, QueueId, Receipt};
use tidemill_wire::Fault;

use crate::context::Context;

use super::by_receipt::{self, Entries};
use super::together::{Desk, Errands, together};
use super::{Sqs, batch, fault};

thread_local! {
    static DELETES: Desk<Deletes> = const { Desk::new(None) };
}

/// Single deletes, done at one go.
struct Deletes;

impl Errands for Deletes {
    type By = Engine;
    type Wanted = (QueueId, Receipt);
    type Outcome = Result<(), Error>;
    type Failure = Error;
    type Upto = Position;

    /// A receipt handle weighs as good as nothing.
    fn weight(_: &Self::Wanted) -> usize {
        0
    }

    fn run(by: &Engine, wanted: Vec<Self::Wanted>) -> (Vec<Self::Outcome>, Position) {
        let Each { outcomes, upto } = by.delete_each(wanted.into_iter());
        (outcomes, upto)
    }

    async fn durable(by: &Engine, upto: Position, many: usize) -> Result<(), Error> {
        by.durable(upto, many).await
    }
}

pub(super) async fn one(
    sqs: &Sqs,
    cx: &Context<'_>,
    request: DeleteMessageRequest,
) -> Result<(), Fault> {
    let (id, _) = sqs.queue(cx, &request.queue_url)?;
    let receipt = by_receipt::read(&request.receipt_handle)?;
    let deleted = together::<Deletes>(&DELETES, &sqs.engine, (id, receipt)).await;
    deleted.flatten().map_err(|it| fault::of(it, &request.receipt_handle))
}

pub(super) async fn batch(
    sqs: &Sqs,
    cx: &Context<'_>,
    request: DeleteMessageBatchRequest,
) -> Result<DeleteMessageBatchResult, Fault> {
    let (queue, _) = sqs.queue(cx, &request.queue_url)?;
    let given = batch::entries(cx, request.entries)?;
    batch::check("DeleteMessageBatchRequestEntry", given.iter().map(|entry| entry.id.as_str()))?;
    let entries = Entries::of(given.into_iter().map(|entry| {
        let handle = entry.receipt_handle.unwrap_or_default();
        let receipt = by_receipt::read(&handle);
        (entry.id, handle, receipt)
    }));
    let acted = sqs.engine.delete(queue, &entries.readable).await;
    let (ids, failed) = entries.told(acted)?;
    let successful = ids.into_iter().map(|id| Deleted { id }).collect();
    Ok(DeleteMessageBatchResult { successful, failed })
}
