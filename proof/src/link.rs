//! A client's connection. What it makes of an answer is all that a ledger may build on.

use std::time::Duration;

use serde_json::Value;
use tidemill_bench::client::{Client, request};

/// Longer than any answer takes, a long poll's included.
const PATIENCE: Duration = Duration::from_secs(30);

/// What came of a request.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    /// It was carried out.
    Done(Value),
    /// It was not carried out, and why.
    Refused(Fault),
    /// The connection ended before the answer: it may have been carried out, or not.
    Unknown,
}

/// Why a request was not carried out.
#[derive(Clone, Debug)]
pub(crate) struct Fault {
    /// 400 or more.
    pub(crate) status: u16,
    pub(crate) body: String,
}

impl Fault {
    /// Whether it is the error of that name.
    pub(crate) fn says(&self, word: &str) -> bool {
        self.body.contains(word)
    }
}

/// One connection. After an [`Answer::Unknown`] it is of no more use.
pub(crate) struct Link(Client);

impl Link {
    /// Connects, if somebody listens.
    pub(crate) async fn open(address: &str) -> Option<Self> {
        Client::connect(address).await.ok().map(Self)
    }

    /// Calls an operation of SQS. A server that hangs did not die: that no answer comes in half a
    /// minute is a fault of its own.
    pub(crate) async fn call(&mut self, operation: &str, parameters: &Value) -> Answer {
        let request = request("/", operation, &parameters.to_string());
        let Ok(answer) = tokio::time::timeout(PATIENCE, self.0.exchange(&request)).await else {
            return Answer::Refused(Fault { status: 504, body: format!("none for {parameters}") });
        };
        match answer {
            Err(_) => Answer::Unknown,
            Ok((200, [])) => Answer::Done(Value::Null),
            // Half an answer is none: it ends where the connection did.
            Ok((200, body)) => serde_json::from_slice(body).map_or(Answer::Unknown, Answer::Done),
            Ok((status, body)) => {
                let body = String::from_utf8_lossy(body).into_owned();
                Answer::Refused(Fault { status, body })
            }
        }
    }
}
