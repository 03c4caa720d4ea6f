//! The queues that the clients use, and what may happen to a message in each.

use std::fmt;

use serde_json::{Value, json};

/// One of the queues.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Queue {
    /// Standard, without dead letters.
    Plain,
    /// Standard, with dead letters.
    Orders,
    /// Where the dead letters of `Orders` go, and are moved away again.
    OrdersDead,
    /// FIFO, without dead letters.
    Strict,
    /// FIFO, with dead letters.
    Jobs,
    /// Where the dead letters of `Jobs` go, and are moved away again.
    JobsDead,
}

impl Queue {
    /// Each of them, dead-letter queues before the queues whose dead letters they take.
    pub(crate) const ALL: [Self; 6] =
        [Self::Plain, Self::OrdersDead, Self::Orders, Self::Strict, Self::JobsDead, Self::Jobs];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Orders => "orders",
            Self::OrdersDead => "orders-dead",
            Self::Strict => "strict.fifo",
            Self::Jobs => "jobs.fifo",
            Self::JobsDead => "jobs-dead.fifo",
        }
    }

    /// What the service takes for it as well as its URL.
    pub(crate) fn url(self) -> &'static str {
        self.name()
    }

    pub(crate) fn arn(self) -> String {
        format!("arn:aws:sqs:us-east-1:000000000000:{}", self.name())
    }

    pub(crate) fn is_fifo(self) -> bool {
        matches!(self, Self::Strict | Self::Jobs | Self::JobsDead)
    }

    /// Where its dead letters go.
    pub(crate) fn dead_letters(self) -> Option<Self> {
        match self {
            Self::Orders => Some(Self::OrdersDead),
            Self::Jobs => Some(Self::JobsDead),
            _ => None,
        }
    }

    /// The queue without dead letters that messages may be moved to from this one.
    pub(crate) fn elsewhere(self) -> Self {
        if self.is_fifo() { Self::Strict } else { Self::Plain }
    }

    /// Whether a visible message may leave it other than by being deleted: as a dead letter, or
    /// moved by a task.
    pub(crate) fn lets_go(self) -> bool {
        !matches!(self, Self::Plain | Self::Strict)
    }

    /// The parameters that make it.
    pub(crate) fn creation(self) -> Value {
        let mut attributes = json!({ "VisibilityTimeout": "2" });
        if self.is_fifo() {
            attributes["FifoQueue"] = "true".into();
        }
        if let Some(target) = self.dead_letters() {
            let redrive = json!({ "deadLetterTargetArn": target.arn(), "maxReceiveCount": 2 });
            attributes["RedrivePolicy"] = redrive.to_string().into();
        }
        json!({ "QueueName": self.name(), "Attributes": attributes })
    }
}

impl fmt::Display for Queue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
