//! A request's body, read whole within its limits of size, time and memory.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::StatusCode;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use hyper::body::{Body as _, Incoming};
use tidemill_base::ByteSize;
use tidemill_wire::{ErrorShape, Fault, fault};
use tokio::time::timeout;

use crate::app::App;
use crate::budget::{Held, Spent};

/// A body that did not come in time.
static TIMEOUT: ErrorShape =
    ErrorShape::sender("RequestTimeout", "RequestTimeout", StatusCode::REQUEST_TIMEOUT);

/// Why a body was not taken.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BodyError {
    /// It is larger than allowed.
    #[error("the request body is larger than {0}")]
    TooLarge(ByteSize),
    /// It did not arrive in time.
    #[error("the request body did not arrive within {0:?}")]
    TooSlow(Duration),
    /// Others hold what memory there is.
    #[error("the requests under way take all the memory they may: try again")]
    TooMuch,
    /// The connection broke.
    #[error("the request body broke off")]
    BrokenOff,
}

/// A body, and the memory it was given: all that a request may hold is added there.
pub(crate) struct Whole {
    pub(crate) bytes: Bytes,
    pub(crate) held: Held,
}

/// Reads a body whole. One whose length is announced above the limit is refused unread.
pub(crate) async fn read(app: &App, body: Incoming) -> Result<Whole, BodyError> {
    let held = app.budget.hold();
    if body.is_end_stream() {
        return Ok(Whole { bytes: Bytes::new(), held });
    }
    let (limit, patience) = (app.settings.max_body, app.settings.body_timeout);
    if body.size_hint().lower() > limit.as_u64() {
        return Err(BodyError::TooLarge(limit));
    }
    let mut whole = pin!(collect(body, limit, held));
    // Most bodies are there as soon as their head is: no timer is set for them.
    match poll_fn(|context| Poll::Ready(whole.as_mut().poll(context))).await {
        Poll::Ready(read) => read,
        Poll::Pending => {
            timeout(patience, whole).await.unwrap_or(Err(BodyError::TooSlow(patience)))
        }
    }
}

async fn collect(body: Incoming, limit: ByteSize, mut held: Held) -> Result<Whole, BodyError> {
    let mut body = pin!(Limited::new(body, limit.as_usize()));
    let mut first = Bytes::new();
    let mut rest = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| {
            if error.is::<LengthLimitError>() {
                BodyError::TooLarge(limit)
            } else {
                BodyError::BrokenOff
            }
        })?;
        let Ok(part) = frame.into_data() else { continue };
        held.more(part.len()).map_err(|Spent| BodyError::TooMuch)?;
        // Most bodies come in one part, and are not copied. Of many parts none is kept as it
        // came: a client chooses how small they are, and each would hold more than its bytes.
        if first.is_empty() {
            first = part;
        } else {
            if rest.is_empty() {
                rest.extend_from_slice(&first);
            }
            rest.extend_from_slice(&part);
        }
    }
    let bytes = if rest.is_empty() { first } else { rest.freeze() };
    Ok(Whole { bytes, held })
}

impl From<BodyError> for Fault {
    fn from(error: BodyError) -> Self {
        let shape = match error {
            BodyError::TooLarge(_) => &fault::TOO_LARGE,
            BodyError::TooSlow(_) => &TIMEOUT,
            BodyError::TooMuch => &fault::UNAVAILABLE,
            BodyError::BrokenOff => &fault::SERIALIZATION,
        };
        Self::new(shape, error.to_string())
    }
}
