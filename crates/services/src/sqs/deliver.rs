//! What other services put into queues, by the door that everybody's messages come in at.
//!
//! What a queue would refuse from a client it refuses here, too: such a letter is undelivered, and
//! whoever sent it is told why. The others are durable.

use std::fmt;

use bytes::Bytes;
use tidemill_queue::{
    Attribute, Content, Discipline, Each, Engine, Error, Failure, NewMessage, Position, QueueId,
    QueueKey, Refusal,
};

use super::{digest, message_attributes};

/// At most so many letters go at one turn of the engine's lock.
const MOST: usize = 32;

/// A message for a queue, of whomever's making. Its text is what a client may send, too.
pub(crate) struct Letter {
    /// Where it goes.
    pub(crate) queue: QueueKey,
    pub(crate) body: Bytes,
    pub(crate) attributes: Vec<Attribute>,
    /// Who is shown as its sender.
    pub(crate) sender: String,
    pub(crate) trace_header: Option<String>,
    pub(crate) group: Option<String>,
}

/// Why a letter is not in its queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Undelivered {
    /// There is no such queue.
    Gone,
    /// It is a FIFO queue, and a letter says nothing of order.
    Fifo,
    /// The queue takes none as long as this.
    TooLong,
    /// Nor with as many attributes.
    TooManyAttributes,
}

impl fmt::Display for Undelivered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Gone => "the queue does not exist",
            Self::Fifo => "the queue is a FIFO queue",
            Self::TooLong => "the message is longer than the queue allows",
            Self::TooManyAttributes => "the message has more attributes than a queue allows",
        })
    }
}

/// Puts letters into their queues. Each is durable there, or undelivered, when this returns. They
/// are made as they are needed: many of them may say the same at length.
///
/// # Errors
/// If the disk does not take them now. Some may be in their queues all the same.
pub(crate) async fn deliver(
    engine: &Engine,
    letters: impl Iterator<Item = Letter>,
) -> Result<Vec<Result<(), Undelivered>>, Failure> {
    let mut delivered: Vec<_> = Vec::with_capacity(letters.size_hint().0);
    let mut end = Position::ZERO;
    let mut letters = letters.peekable();
    while letters.peek().is_some() {
        let mut messages = Vec::with_capacity(MOST);
        let mut places = Vec::with_capacity(MOST);
        for letter in letters.by_ref().take(MOST) {
            places.push(delivered.len());
            delivered.push(match pack(engine, letter) {
                Ok(message) => {
                    messages.push(message);
                    Ok(())
                }
                Err(why) => {
                    places.pop();
                    Err(why)
                }
            });
        }
        let Each { outcomes, upto } = engine.send_each(messages.into_iter());
        end = end.max(upto);
        for (place, outcome) in places.into_iter().zip(outcomes) {
            delivered[place] = match outcome {
                Ok(_) => Ok(()),
                Err(Error::Failed(failure)) => return Err(failure),
                // Between the look at its settings and now.
                Err(Error::Refused(Refusal::TooLarge)) => Err(Undelivered::TooLong),
                Err(Error::Refused(_)) => Err(Undelivered::Gone),
            };
        }
    }
    drop(letters);
    let many = delivered.iter().filter(|one| one.is_ok()).count();
    if many > 0 {
        engine.durable(end, many).await.map_err(|error| match error {
            Error::Failed(failure) => failure,
            Error::Refused(refusal) => unreachable!("waiting is not refused: {refusal}"),
        })?;
    }
    Ok(delivered)
}

/// A letter as the engine takes it.
fn pack(engine: &Engine, letter: Letter) -> Result<(QueueId, NewMessage), Undelivered> {
    let id = engine.find(&letter.queue).ok_or(Undelivered::Gone)?;
    let settings = engine.settings(id).map_err(|_| Undelivered::Gone)?;
    if settings.discipline == Discipline::Fifo {
        return Err(Undelivered::Fifo);
    }
    if letter.attributes.len() > message_attributes::MOST {
        return Err(Undelivered::TooManyAttributes);
    }
    let size = (letter.body.len() + message_attributes::size(&letter.attributes)) as u64;
    if size > settings.max_size.as_u64() {
        return Err(Undelivered::TooLong);
    }
    let content = Content {
        body_md5: digest::of_body(&letter.body),
        attributes_md5: digest::of_attributes(&letter.attributes),
        body: letter.body,
        attributes: letter.attributes,
        sender: letter.sender,
        trace_header: letter.trace_header,
        group: letter.group,
        deduplication: None,
    };
    Ok((id, NewMessage { content, delay: None }))
}
