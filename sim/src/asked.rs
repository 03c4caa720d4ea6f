//! What clients ask, and what they are answered.

use std::iter::once;
use std::time::Duration;

use tidemill_queue::{
    Created, Delivery, Each, Engine, Error, MoveId, NewMessage, QueueId, QueueKey, Receipt,
    Receive, Refusal, Sent, Sequence, SettingsChange, Tags,
};

/// What is asked.
#[derive(Clone, Debug)]
pub(crate) enum Ask {
    Create(QueueKey, SettingsChange),
    Remove(QueueId),
    Configure(QueueId, SettingsChange),
    Tag(QueueId, Tags),
    Purge(QueueId),
    Send(QueueId, Vec<NewMessage>),
    Receive(QueueId, Receive),
    Delete(QueueId, Vec<Held>),
    Hide(QueueId, Vec<(Held, Duration)>),
    StartMove(QueueId, Option<QueueId>, Option<u32>),
    CancelMove(MoveId),
}

/// A message that somebody was handed.
#[derive(Clone, Debug)]
pub(crate) struct Held {
    pub(crate) receipt: Receipt,
    pub(crate) sequence: Sequence,
    pub(crate) receive: u32,
}

/// What is answered.
#[derive(Debug)]
pub(crate) enum Answer {
    Done(Result<(), Error>),
    Created(Result<Created, Error>),
    Sent(Result<Vec<Sent>, Error>),
    Received(Result<Vec<Delivery>, Error>),
    Each(Result<Vec<Result<(), Refusal>>, Error>),
    Moving(Result<MoveId, Error>),
    Moved(Result<u64, Error>),
}

impl Ask {
    /// Carries it out.
    pub(crate) async fn answer(self, engine: Engine) -> Answer {
        match self {
            Self::Create(key, settings) => {
                Answer::Created(engine.create(key, settings, Tags::new()).await)
            }
            Self::Remove(queue) => Answer::Done(engine.remove(queue).await),
            Self::Configure(queue, change) => Answer::Done(engine.configure(queue, change).await),
            Self::Tag(queue, tags) => Answer::Done(engine.tag(queue, tags).await),
            Self::Purge(queue) => Answer::Done(engine.purge(queue).await),
            Self::Send(queue, messages) => Answer::Sent(send(&engine, queue, messages).await),
            Self::Receive(queue, ask) => Answer::Received(engine.receive(queue, ask).await),
            Self::Delete(queue, held) => {
                let receipts: Vec<_> = held.iter().map(|one| one.receipt).collect();
                Answer::Each(delete(&engine, queue, &receipts).await)
            }
            Self::Hide(queue, held) => {
                let changes: Vec<_> = held.iter().map(|one| (one.0.receipt, one.1)).collect();
                Answer::Each(engine.change_visibility(queue, &changes).await)
            }
            Self::StartMove(queue, to, pace) => {
                Answer::Moving(engine.start_move(queue, to, pace).await)
            }
            Self::CancelMove(id) => Answer::Moved(engine.cancel_move(id).await),
        }
    }
}

/// A single message goes by the way of single ones.
async fn send(
    engine: &Engine,
    queue: QueueId,
    mut messages: Vec<NewMessage>,
) -> Result<Vec<Sent>, Error> {
    match (messages.pop(), messages.is_empty()) {
        (Some(message), true) => Ok(vec![engine.send(queue, message).await?]),
        (last, _) => {
            messages.extend(last);
            engine.send_batch(queue, messages).await
        }
    }
}

/// A single receipt goes by the way of single ones.
async fn delete(
    engine: &Engine,
    queue: QueueId,
    receipts: &[Receipt],
) -> Result<Vec<Result<(), Refusal>>, Error> {
    let [receipt] = *receipts else { return engine.delete(queue, receipts).await };
    let Each { mut outcomes, upto } = engine.delete_each(once((queue, receipt)));
    engine.durable(upto, 1).await?;
    match outcomes.pop().expect("a receipt has an answer") {
        Err(Error::Refused(refusal)) if refusal != Refusal::NoSuchQueue => Ok(vec![Err(refusal)]),
        outcome => Ok(vec![Ok(outcome?)]),
    }
}

impl Answer {
    /// Why it failed, or was refused as a whole.
    pub(crate) fn error(&self) -> Option<&Error> {
        match self {
            Self::Done(answer) => answer.as_ref().err(),
            Self::Created(answer) => answer.as_ref().err(),
            Self::Sent(answer) => answer.as_ref().err(),
            Self::Received(answer) => answer.as_ref().err(),
            Self::Each(answer) => answer.as_ref().err(),
            Self::Moving(answer) => answer.as_ref().err(),
            Self::Moved(answer) => answer.as_ref().err(),
        }
    }
}
