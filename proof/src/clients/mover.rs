//! Starts move tasks that take dead letters back to where they came from, or elsewhere, and now
//! and then cancels one. A task goes on by itself after a crash: nobody starts it again.

use std::time::Duration;

use serde_json::{Value, json};

use super::{Shared, call, refused};
use crate::dice::Dice;
use crate::link::{Answer, Link};
use crate::queues::Queue;

/// The tasks that are over and still listed.
const LISTED: usize = 10;
/// Longer than any task takes that has all its messages.
const PATIENCE: Duration = Duration::from_secs(30);

/// A client that moves what is in one dead-letter queue.
pub(crate) struct Mover {
    from: Queue,
    dice: Dice,
    /// The tasks that surely began.
    begun: usize,
}

impl Mover {
    pub(crate) fn new(from: Queue, dice: Dice) -> Self {
        Self { from, dice, begun: 0 }
    }

    pub(super) async fn work(&mut self, link: &mut Link, shared: &Shared) {
        loop {
            tokio::time::sleep(self.dice.millis(50, 700)).await;
            let gone = if self.dice.one_in(6) {
                self.cancel(link, shared).await
            } else {
                self.start(link, shared).await
            };
            if gone.is_none() {
                return;
            }
        }
    }

    async fn start(&mut self, link: &mut Link, shared: &Shared) -> Option<()> {
        let mut parameters = json!({ "SourceArn": self.from.arn() });
        if self.dice.one_in(3) {
            parameters["DestinationArn"] = self.from.elsewhere().arn().into();
        }
        if self.dice.one_in(2) {
            // Slow enough for a crash to come in between.
            parameters["MaxNumberOfMessagesPerSecond"] = self.dice.between(50, 500).into();
        }
        match call(link, shared, "StartMessageMoveTask", &parameters).await {
            Answer::Done(_) => {
                self.begun += 1;
                shared.ledger.count_move();
                Some(())
            }
            Answer::Refused(fault) if fault.says("There is already a task running") => Some(()),
            Answer::Refused(fault) => {
                refused(shared, "StartMessageMoveTask", &fault);
                Some(())
            }
            Answer::Unknown => None,
        }
    }

    async fn cancel(&self, link: &mut Link, shared: &Shared) -> Option<()> {
        let tasks = self.tasks(link, shared).await?;
        let Some(handle) = tasks.iter().find_map(|task| task["TaskHandle"].as_str()) else {
            return Some(());
        };
        let parameters = json!({ "TaskHandle": handle });
        match call(link, shared, "CancelMessageMoveTask", &parameters).await {
            Answer::Unknown => None,
            // It may have ended meanwhile.
            Answer::Done(_) | Answer::Refused(_) => Some(()),
        }
    }

    /// The tasks that the service lists; nothing if it went away.
    async fn tasks(&self, link: &mut Link, shared: &Shared) -> Option<Vec<Value>> {
        let parameters = json!({ "SourceArn": self.from.arn(), "MaxResults": LISTED });
        match call(link, shared, "ListMessageMoveTasks", &parameters).await {
            Answer::Done(answer) => Some(answer["Results"].as_array().cloned().unwrap_or_default()),
            Answer::Refused(fault) => {
                refused(shared, "ListMessageMoveTasks", &fault);
                Some(Vec::new())
            }
            Answer::Unknown => None,
        }
    }

    /// Waits until no task runs. All that began are listed, and none has failed.
    pub(super) async fn settle(&mut self, link: &mut Link, shared: &Shared) -> bool {
        let deadline = shared.clock.monotonic() + PATIENCE;
        let tasks = loop {
            let Some(tasks) = self.tasks(link, shared).await else { return false };
            if tasks.iter().all(|task| task["Status"] != "RUNNING") {
                break tasks;
            }
            if shared.clock.monotonic() > deadline {
                let claim = "A move task goes on by itself after a restart";
                shared.ledger.violation(claim, format!("from {}: {tasks:?}", self.from));
                return true;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        };
        let is_well = |task: &Value| task["Status"] == "COMPLETED" || task["Status"] == "CANCELLED";
        if tasks.len() < self.begun.min(LISTED) || !tasks.iter().all(is_well) {
            let claim = "A move task that began is remembered, and ends well";
            let detail = format!("from {}: {} began, {tasks:?}", self.from, self.begun);
            shared.ledger.violation(claim, detail);
        }
        true
    }
}
