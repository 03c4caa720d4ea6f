//! A queue under measurement: made, filled with a backlog, and emptied a message at a time.

use std::fmt::Write as _;
use std::io::{IsTerminal as _, Write as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

use crate::client::{Client, call};
use crate::work::BATCH;

/// How many connections fill a queue.
const FILLERS: usize = 8;

/// A queue, and how what it holds is spread over message groups.
#[derive(Clone, Debug)]
pub struct Queue {
    /// Its name.
    pub name: String,
    /// Whether it is a FIFO queue, whose name ends in `.fifo`.
    pub fifo: bool,
    /// The number of message groups; none at all if 0.
    pub groups: usize,
}

impl Queue {
    /// Its URL, as the default region and account have it.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1/000000000000/{}", self.name)
    }

    /// Makes the queue.
    pub async fn create(&self, client: &mut Client) -> anyhow::Result<()> {
        let mut attributes = json!({ "VisibilityTimeout": "3600" });
        if self.fifo {
            attributes["FifoQueue"] = "true".into();
        }
        let parameters = json!({ "QueueName": self.name, "Attributes": attributes });
        call(client, "CreateQueue", &parameters).await?;
        Ok(())
    }

    /// Empties the queue.
    pub async fn purge(&self, client: &mut Client) -> anyhow::Result<()> {
        call(client, "PurgeQueue", &json!({ "QueueUrl": self.url() })).await?;
        Ok(())
    }

    /// The parameters of message `number`.
    pub fn message(&self, number: usize, size: usize) -> Value {
        let mut message = json!({ "MessageBody": body(number, size) });
        if self.groups > 0 {
            message["MessageGroupId"] = format!("g{}", number % self.groups).into();
        }
        if self.fifo {
            message["MessageDeduplicationId"] = format!("m{number}").into();
        }
        message
    }

    /// Sends messages `0..count` of `size` bytes, ten at a time.
    pub async fn fill(&self, address: &str, count: usize, size: usize) -> anyhow::Result<()> {
        let next = Arc::new(AtomicUsize::new(0));
        let mut fillers = Vec::new();
        for _ in 0..FILLERS {
            let mut client = Client::connect(address).await?;
            let (queue, next) = (self.clone(), Arc::clone(&next));
            fillers.push(tokio::spawn(async move {
                loop {
                    let first = next.fetch_add(BATCH, Ordering::Relaxed);
                    if first >= count {
                        return anyhow::Ok(());
                    }
                    queue.send(&mut client, first..count.min(first + BATCH), size).await?;
                    progress(&queue.name, first, count);
                }
            }));
        }
        for filler in fillers {
            filler.await??;
        }
        Ok(())
    }

    async fn send(
        &self,
        client: &mut Client,
        numbers: std::ops::Range<usize>,
        size: usize,
    ) -> anyhow::Result<()> {
        let entries: Vec<Value> = numbers
            .map(|number| {
                let mut entry = self.message(number, size);
                entry["Id"] = number.to_string().into();
                entry
            })
            .collect();
        let parameters = json!({ "QueueUrl": self.url(), "Entries": entries });
        let answer = call(client, "SendMessageBatch", &parameters).await?;
        anyhow::ensure!(answer.get("Failed").is_none(), "{answer}");
        Ok(())
    }
}

/// A body that is unlike all others, so that nothing on the way profits from repetition.
fn body(number: usize, size: usize) -> String {
    let mut state = (number as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut body = String::with_capacity(size + 16);
    while body.len() < size {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        write!(body, "{state:016x}").expect("writing to a string does not fail");
    }
    body.truncate(size);
    body
}

/// Tells a person how far it is.
fn progress(name: &str, done: usize, count: usize) {
    let mut terminal = std::io::stderr();
    if terminal.is_terminal() && done.is_multiple_of(10_000) {
        // A terminal that went away is no reason to stop.
        let _ = write!(terminal, "\r{name}: {done} of {count}   ");
    }
}
