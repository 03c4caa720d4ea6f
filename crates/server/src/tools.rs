//! `tidemill send`, `receive`, `peek` and `purge`: a queue at hand, without Python.

use std::fs::File;
use std::io::{self, BufRead, BufReader, IsTerminal as _, Write as _};
use std::path::Path;

use anyhow::{Context as _, bail};
use serde_json::{Map, Value, json};

use crate::cli::{Peek, Purge, Receive, Send};
use crate::client::Client;

/// Messages of one request: what SQS allows.
const BATCH: usize = 10;
/// Bytes of the bodies of one request, with room for attributes within SQS's 1 MiB.
const BATCH_BYTES: usize = 1 << 19;
/// Bytes of the largest message: what SQS allows.
const LARGEST: usize = 1 << 20;

/// Sends messages.
pub(crate) fn send(send: &Send) -> anyhow::Result<()> {
    if is_fifo(&send.queue) && send.group.is_none() {
        bail!("{} is a FIFO queue: name the group of its messages with --group", send.queue);
    }
    if send.deduplication_id.is_some() && send.body.len() > 1 {
        bail!("of several messages with one --deduplication-id only the first would be taken in");
    }
    let client = Client::new(&send.endpoint)?;
    let mut sender = Sender { client: &client, send, batch: Vec::new(), bytes: 0, sent: 0 };
    let done = sender.send_all();
    progress_end();
    match done {
        Ok(0) => eprintln!("sent {} to {}", messages(sender.sent), send.queue),
        Ok(empty) => {
            eprintln!("sent {} to {}; empty lines: {empty}", messages(sender.sent), send.queue);
        }
        Err(error) if sender.sent == 0 => return Err(error),
        Err(error) => return Err(error.context(format!("{} sent, then", messages(sender.sent)))),
    }
    Ok(())
}

fn is_fifo(queue: &str) -> bool {
    Path::new(queue).extension().is_some_and(|suffix| suffix == "fifo")
}

fn lines(file: &Path) -> anyhow::Result<Box<dyn Iterator<Item = io::Result<String>>>> {
    if file == Path::new("-") {
        return Ok(Box::new(io::stdin().lock().lines()));
    }
    let file = File::open(file).with_context(|| format!("cannot read {}", file.display()))?;
    Ok(Box::new(BufReader::new(file).lines()))
}

/// Collects messages into batches.
struct Sender<'a> {
    client: &'a Client,
    send: &'a Send,
    batch: Vec<String>,
    bytes: usize,
    sent: usize,
}

impl Sender<'_> {
    /// Sends all that was asked for, and says how many lines were passed over.
    fn send_all(&mut self) -> anyhow::Result<usize> {
        let mut empty = 0;
        match &self.send.lines {
            None => self.send.body.iter().try_for_each(|body| self.add(body.clone()))?,
            Some(file) => {
                for (number, line) in lines(file)?.enumerate() {
                    let place = || format!("{}, line {}", file.display(), number + 1);
                    let line = line.with_context(place)?;
                    // An empty line is most often the file's end.
                    if line.is_empty() {
                        empty += 1;
                    } else {
                        self.add(line).with_context(place)?;
                    }
                }
            }
        }
        self.flush()?;
        Ok(empty)
    }

    fn add(&mut self, body: String) -> anyhow::Result<()> {
        if body.is_empty() {
            bail!("SQS has no empty messages");
        }
        if body.len() > LARGEST {
            bail!("a message has at most {LARGEST} bytes, and this one has {}", body.len());
        }
        if self.batch.len() == BATCH || self.bytes + body.len() > BATCH_BYTES {
            self.flush()?;
        }
        self.bytes += body.len();
        self.batch.push(body);
        Ok(())
    }

    fn flush(&mut self) -> anyhow::Result<()> {
        if self.batch.is_empty() {
            return Ok(());
        }
        let bodies = std::mem::take(&mut self.batch);
        self.bytes = 0;
        let entry = |(id, body): (usize, &String)| self.entry(id, body);
        let entries: Vec<Value> = bodies.iter().enumerate().map(entry).collect();
        let parameters = json!({ "QueueUrl": self.send.queue, "Entries": entries });
        let answer = self.client.sqs("SendMessageBatch", &parameters)?;
        self.sent += answer["Successful"].as_array().map_or(0, Vec::len);
        if let Some(failed) = answer["Failed"].get(0) {
            bail!("a message was refused: {}", failed["Message"].as_str().unwrap_or_default());
        }
        progress(&format!("sent {}", messages(self.sent)));
        Ok(())
    }

    fn entry(&self, id: usize, body: &str) -> Value {
        let mut entry = json!({ "Id": id.to_string(), "MessageBody": body });
        if let Some(delay) = self.send.delay {
            entry["DelaySeconds"] = json!(delay.as_secs());
        }
        if let Some(group) = &self.send.group {
            entry["MessageGroupId"] = json!(group);
        }
        if let Some(id) = &self.send.deduplication_id {
            entry["MessageDeduplicationId"] = json!(id);
        }
        if !self.send.attributes.is_empty() {
            let value = |text: &String| json!({ "DataType": "String", "StringValue": text });
            let attributes = self.send.attributes.iter();
            let attributes: Map<_, _> =
                attributes.map(|(name, text)| (name.clone(), value(text))).collect();
            entry["MessageAttributes"] = attributes.into();
        }
        entry
    }
}

/// Receives messages, and deletes them if asked to.
pub(crate) fn receive(receive: &Receive) -> anyhow::Result<()> {
    let client = Client::new(&receive.endpoint)?;
    let mut out = io::stdout().lock();
    let mut wait = receive.wait.as_secs();
    let mut left = receive.max.get();
    while left > 0 {
        let mut parameters = json!({
            "QueueUrl": receive.queue,
            "MaxNumberOfMessages": left.min(BATCH),
            "WaitTimeSeconds": wait,
            "MessageSystemAttributeNames": ["All"],
            "MessageAttributeNames": ["All"],
        });
        if let Some(visibility) = receive.visibility {
            parameters["VisibilityTimeout"] = json!(visibility.as_secs());
        }
        let answer = client.sqs("ReceiveMessage", &parameters)?;
        let received = answer["Messages"].as_array().map_or(&[][..], Vec::as_slice);
        if received.is_empty() {
            break;
        }
        for message in received {
            print(&mut out, message, receive.json)?;
        }
        // Only what was printed is deleted.
        out.flush()?;
        if receive.delete {
            delete(&client, &receive.queue, received)?;
        }
        left -= received.len().min(left);
        wait = 0;
    }
    Ok(())
}

fn delete(client: &Client, queue: &str, received: &[Value]) -> anyhow::Result<()> {
    let handles = received.iter().map(|message| &message["ReceiptHandle"]);
    let entry = |(id, handle)| json!({ "Id": format!("{id}"), "ReceiptHandle": handle });
    let entries: Vec<Value> = handles.enumerate().map(entry).collect();
    let parameters = json!({ "QueueUrl": queue, "Entries": entries });
    let answer = client.sqs("DeleteMessageBatch", &parameters)?;
    match answer["Failed"].get(0) {
        None => Ok(()),
        Some(failed) => {
            bail!("a message was not deleted: {}", failed["Message"].as_str().unwrap_or_default())
        }
    }
}

/// Shows messages without receiving them.
pub(crate) fn peek(peek: &Peek) -> anyhow::Result<()> {
    let client = Client::new(&peek.endpoint)?;
    let mut out = io::stdout().lock();
    let mut after = Value::Null;
    let mut left = peek.max.get();
    while left > 0 {
        let parameters = json!({
            "QueueUrl": peek.queue,
            "MaxNumberOfMessages": left.min(100),
            "After": after,
            "Region": client.region(),
        });
        let answer = client.own("/_tidemill/peek", &parameters)?;
        let found = answer["Messages"].as_array().map_or(&[][..], Vec::as_slice);
        for message in found {
            if peek.json {
                print(&mut out, message, true)?;
            } else {
                let text = |name: &str| message[name].as_str().unwrap_or_default();
                let (id, state, body) = (text("MessageId"), text("State"), text("Body"));
                let count = &message["ApproximateReceiveCount"];
                let group = message["MessageGroupId"].as_str();
                let group = group.map_or(String::new(), |group| format!("group {group}  "));
                writeln!(out, "{id}  {state:<9}  received {count:>3}x  {group}{body}")?;
            }
        }
        left -= found.len().min(left);
        after = answer["Next"].clone();
        if after.is_null() {
            break;
        }
    }
    Ok(())
}

fn print(out: &mut impl io::Write, message: &Value, whole: bool) -> io::Result<()> {
    if whole {
        writeln!(out, "{message}")
    } else {
        writeln!(out, "{}", message["Body"].as_str().unwrap_or_default())
    }
}

/// Deletes every message of a queue.
pub(crate) fn purge(purge: &Purge) -> anyhow::Result<()> {
    let client = Client::new(&purge.endpoint)?;
    if !purge.yes && !confirmed(&purge.queue)? {
        bail!("nothing was deleted");
    }
    client.sqs("PurgeQueue", &json!({ "QueueUrl": purge.queue }))?;
    eprintln!("purged {}", purge.queue);
    Ok(())
}

fn confirmed(queue: &str) -> anyhow::Result<bool> {
    if !io::stdin().is_terminal() {
        bail!("this deletes every message of {queue}: say --yes to do it without being asked");
    }
    eprint!("Delete every message of {queue}? [y/N] ");
    let mut answer = String::new();
    io::stdin().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

pub(crate) fn messages(count: usize) -> String {
    if count == 1 { "1 message".to_owned() } else { format!("{count} messages") }
}

/// A line that is written over, and nothing left of the one before, on a terminal only.
pub(crate) fn progress(text: &str) {
    if io::stderr().is_terminal() {
        eprint!("\r{text}\x1b[K");
    }
}

pub(crate) fn progress_end() {
    if io::stderr().is_terminal() {
        eprint!("\r\x1b[K");
    }
}
