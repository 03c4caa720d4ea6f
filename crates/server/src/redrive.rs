//! `tidemill redrive`: dead letters go back to where they came from, while one looks on.

use std::thread;
use std::time::Duration;

use anyhow::{Context as _, bail};
use serde_json::{Value, json};

use crate::cli::Redrive;
use crate::client::Client;
use crate::tools::{messages, progress, progress_end};

/// How often to ask how far the task is.
const LOOK: Duration = Duration::from_millis(200);

/// Starts a move task and waits until it has ended.
pub(crate) fn run(redrive: &Redrive) -> anyhow::Result<()> {
    let client = Client::new(&redrive.endpoint)?;
    let source = arn(&client, &redrive.queue)?;
    let mut parameters = json!({ "SourceArn": source });
    if let Some(queue) = &redrive.to {
        parameters["DestinationArn"] = json!(arn(&client, queue)?);
    }
    if let Some(rate) = redrive.per_second {
        parameters["MaxNumberOfMessagesPerSecond"] = json!(rate);
    }
    client.sqs("StartMessageMoveTask", &parameters)?;
    let ended = watch(&client, &source);
    progress_end();
    let task = ended?;
    let moved = messages(usize::try_from(number(&task, "Moved")).unwrap_or(usize::MAX));
    match (text(&task, "Status"), text(&task, "FailureReason")) {
        ("COMPLETED", _) => eprintln!("moved {moved} from {}", redrive.queue),
        ("FAILED", "CouldNotDetermineMessageSource") => bail!(
            "moved {moved}, then found one that came from no queue: name a queue for those with \
             --to"
        ),
        ("FAILED", reason) => bail!("moved {moved}, then failed: {reason}"),
        (status, _) => bail!("moved {moved}, then the task was {}", status.to_lowercase()),
    }
    Ok(())
}

/// A queue's ARN: a task's queues go by theirs.
fn arn(client: &Client, queue: &str) -> anyhow::Result<String> {
    let parameters = json!({ "QueueUrl": queue, "AttributeNames": ["QueueArn"] });
    let answer = client.sqs("GetQueueAttributes", &parameters)?;
    let arn = answer["Attributes"]["QueueArn"].as_str().context("a queue has an ARN")?;
    Ok(arn.to_owned())
}

/// Shows how far the newest task is, until it runs no more.
fn watch(client: &Client, source: &str) -> anyhow::Result<Value> {
    loop {
        let parameters = json!({ "SourceArn": source, "MaxResults": 1 });
        let mut answer = client.sqs("ListMessageMoveTasks", &parameters)?;
        let task = answer["Results"].get_mut(0).map(Value::take);
        let task = task.context("the task is not listed any more")?;
        if text(&task, "Status") != "RUNNING" {
            return Ok(task);
        }
        let (moved, all) = (number(&task, "Moved"), number(&task, "ToMove"));
        progress(&format!("moved {moved} of {all}"));
        thread::sleep(LOOK);
    }
}

fn text<'a>(task: &'a Value, member: &str) -> &'a str {
    task[member].as_str().unwrap_or_default()
}

/// One of the task's two counts.
fn number(task: &Value, which: &str) -> u64 {
    task[format!("ApproximateNumberOfMessages{which}")].as_u64().unwrap_or_default()
}
