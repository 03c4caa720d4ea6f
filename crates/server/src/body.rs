//! A request's body, read whole within its limits of size and time.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use hyper::body::{Body as _, Incoming};
use tidemill_base::ByteSize;
use tidemill_wire::{ErrorShape, Fault, fault};
use tokio::time::timeout;

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
    /// The connection broke.
    #[error("the request body broke off")]
    BrokenOff,
}

/// Reads a body whole. One whose length is announced above the limit is refused unread.
pub(crate) async fn read(
    body: Incoming,
    limit: ByteSize,
    patience: Duration,
) -> Result<Bytes, BodyError> {
    if body.is_end_stream() {
        return Ok(Bytes::new());
    }
    if body.size_hint().lower() > limit.as_u64() {
        return Err(BodyError::TooLarge(limit));
    }
    let mut whole = pin!(Limited::new(body, limit.as_usize()).collect());
    // Most bodies are there as soon as their head is: no timer is set for them.
    let read = match poll_fn(|context| Poll::Ready(whole.as_mut().poll(context))).await {
        Poll::Ready(read) => Ok(read),
        Poll::Pending => timeout(patience, whole).await,
    };
    match read {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(BodyError::TooLarge(limit)),
        Ok(Err(_)) => Err(BodyError::BrokenOff),
        Err(_) => Err(BodyError::TooSlow(patience)),
    }
}

impl From<BodyError> for Fault {
    fn from(error: BodyError) -> Self {
        let shape = match error {
            BodyError::TooLarge(_) => &fault::TOO_LARGE,
            BodyError::TooSlow(_) => &TIMEOUT,
            BodyError::BrokenOff => &fault::SERIALIZATION,
        };
        Self::new(shape, error.to_string())
    }
}
