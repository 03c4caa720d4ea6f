//! A reckoning: everybody ends what he had begun, every queue is emptied, and the ledger's page is
//! judged. Everything that was ever stored is seen then, unless somebody deleted it.

use std::time::Duration;

use serde_json::{Value, json};

use crate::clients::{Client, Shared, call, handles, messages};
use crate::judge::{Violation, judge};
use crate::ledger::Page;
use crate::link::{Answer, Link};
use crate::queues::Queue;
use crate::story::Deed;

/// Longer than it takes to empty every queue, visibility timeouts included.
const PATIENCE: Duration = Duration::from_mins(2);
/// Longer than it takes to delete what was received.
const HIDDEN: Duration = Duration::from_mins(1);

/// Empties the queues and judges what the ledger says.
pub(crate) async fn reckon(
    address: &str,
    clients: &mut [Client],
    shared: &Shared,
) -> (Page, Vec<Violation>) {
    let emptied = settle_and_empty(address, clients, shared).await;
    if emptied.is_none() {
        let claim = "The service stays up until it is killed";
        shared.ledger.violation(claim, "it went away at a reckoning".to_owned());
    }
    let page = shared.ledger.turn();
    // Of what was not emptied everything that is left would count as lost.
    let violations = if emptied == Some(true) { judge(&page) } else { page.violations.clone() };
    (page, violations)
}

/// Whether all queues are empty; nothing if the service went away.
async fn settle_and_empty(address: &str, clients: &mut [Client], shared: &Shared) -> Option<bool> {
    let mut link = Link::open(address).await?;
    for client in clients {
        if !client.settle(&mut link, shared).await {
            return None;
        }
    }
    let deadline = shared.clock.monotonic() + PATIENCE;
    loop {
        let emptying = Queue::ALL.map(|queue| {
            let (address, shared) = (address.to_owned(), shared.clone());
            tokio::spawn(async move { empty(queue, &address, &shared, deadline).await })
        });
        for emptied in emptying {
            emptied.await.ok()??;
        }
        // Emptying a queue may have sent some of it to its dead-letter queue.
        let mut left = 0;
        for queue in Queue::ALL {
            left += count(queue, &mut link, shared).await?;
        }
        if left == 0 {
            return Some(true);
        }
        if shared.clock.monotonic() > deadline {
            let claim = "What a queue counts can be received";
            shared.ledger.violation(claim, format!("{left} messages do not come"));
            return Some(false);
        }
    }
}

/// Receives and deletes all that a queue counts.
async fn empty(queue: Queue, address: &str, shared: &Shared, deadline: Duration) -> Option<()> {
    let mut link = Link::open(address).await?;
    let receive = json!({
        "QueueUrl": queue.url(),
        "MaxNumberOfMessages": 10,
        "VisibilityTimeout": HIDDEN.as_secs(),
        "MessageSystemAttributeNames": ["All"],
    });
    while shared.clock.monotonic() < deadline {
        let (began, until) = (shared.ledger.moment(), shared.clock.monotonic() + HIDDEN);
        let answer = done(&mut link, shared, "ReceiveMessage", &receive).await?;
        let got = messages(&answer, queue, until, shared, true);
        if got.is_empty() {
            if count(queue, &mut link, shared).await? == 0 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
            continue;
        }
        let sights = got.iter().map(|it| (it.number, Deed::Received(it.sight.clone())));
        shared.ledger.note(began, sights);
        let delete = handles(queue, got.iter().map(|it| it.handle.as_str()), &json!({}));
        let deleting = shared.ledger.moment();
        let answer = done(&mut link, shared, "DeleteMessageBatch", &delete).await?;
        if answer.get("Failed").is_some() {
            shared.ledger.violation("What is allowed is not refused", answer.to_string());
        }
        let deletion = |it: &crate::clients::Message| Deed::Deleted {
            from: queue,
            id: it.sight.id.clone(),
            answered: true,
            received: began,
            held: true,
        };
        shared.ledger.note(deleting, got.iter().map(|it| (it.number, deletion(it))));
    }
    Some(())
}

/// How many messages a queue counts, in whatever state.
async fn count(queue: Queue, link: &mut Link, shared: &Shared) -> Option<u64> {
    let parameters = json!({ "QueueUrl": queue.url(), "AttributeNames": ["All"] });
    let answer = done(link, shared, "GetQueueAttributes", &parameters).await?;
    let number = |state: &str| -> Option<u64> {
        answer["Attributes"][format!("ApproximateNumberOfMessages{state}")].as_str()?.parse().ok()
    };
    Some(number("")? + number("NotVisible")? + number("Delayed")?)
}

async fn done(
    link: &mut Link,
    shared: &Shared,
    operation: &str,
    parameters: &Value,
) -> Option<Value> {
    match call(link, shared, operation, parameters).await {
        Answer::Done(answer) => Some(answer),
        Answer::Refused(fault) => {
            crate::clients::refused(shared, operation, &fault);
            None
        }
        Answer::Unknown => None,
    }
}
