//! The load: clients that each send their next request when the last is answered, or at a rate.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use anyhow::bail;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};
use tidemill_base::Clock;

use super::meter::{Meter, Phase, STAMP};
use crate::cli::Bench;
use crate::client::Client;

/// How long a receive waits for messages: SQS finds all only when it waits.
const LONG_POLL: u64 = 1;
/// When no message came for so long, those that are missing do not come any more.
const MISSING_AFTER: Duration = Duration::from_secs(10);
/// When so many requests failed one after the other, the phase is over.
const FAILURES: u64 = 100;
/// How long a client rests after a failure, so as not to make things worse.
const BREATHER: Duration = Duration::from_millis(50);
/// Longest sleep between two looks at whether to stop.
const NAP: Duration = Duration::from_millis(100);

/// What is done in a phase.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Work {
    Send,
    Receive,
    Delete,
    /// Receive, and delete at once.
    Consume,
    /// Half of the clients send, the other half consume.
    Mix,
}

impl Work {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Send => "send",
            Self::Receive => "receive",
            Self::Delete => "delete",
            Self::Consume => "consume",
            Self::Mix => "mixed",
        }
    }
}

type Meters = BTreeMap<&'static str, Meter>;

/// The clients, their queue, and what they hold between phases.
pub(super) struct Load<'a> {
    bench: &'a Bench,
    clients: &'a [Client],
    queue: &'a str,
    stop: &'a AtomicBool,
    clock: Clock,
    /// Receipt handles of what was received and is not deleted yet, a request's worth each.
    held: Mutex<Vec<Vec<String>>>,
    /// Counts messages through all phases.
    serial: AtomicU64,
}

/// One phase as it goes on.
struct Run<'a> {
    load: &'a Load<'a>,
    started: Duration,
    /// Some send while others consume.
    mixed: bool,
    /// Messages of this phase.
    target: u64,
    /// Messages whose sending was begun; messages that went through, or came.
    begun: AtomicU64,
    sent: AtomicU64,
    done: AtomicU64,
    senders_left: AtomicU64,
    /// When a message last went through: microseconds since the clock began.
    last: AtomicU64,
    /// Failures one after the other.
    failures: AtomicU64,
    /// Requests that the rate has let pass.
    paced: AtomicU64,
    bar: ProgressBar,
}

impl<'a> Load<'a> {
    pub(super) fn new(
        bench: &'a Bench,
        clients: &'a [Client],
        queue: &'a str,
        stop: &'a AtomicBool,
        clock: Clock,
    ) -> Self {
        let (held, serial) = (Mutex::default(), AtomicU64::new(0));
        Self { bench, clients, queue, stop, clock, held, serial }
    }

    /// Does `work` with so many messages. Says with how many it was done.
    pub(super) fn run(&self, work: Work, messages: u64, phase: &mut Phase) -> anyhow::Result<u64> {
        let started = self.clock.monotonic();
        let senders = match work {
            Work::Send => self.bench.clients,
            Work::Mix => (self.bench.clients / 2).max(1),
            _ => 0,
        };
        let mixed = work == Work::Mix;
        let all = if mixed { self.bench.clients.max(2) } else { self.bench.clients };
        let run = Run {
            load: self,
            started,
            mixed,
            target: messages,
            begun: AtomicU64::new(0),
            sent: AtomicU64::new(if mixed { 0 } else { messages }),
            done: AtomicU64::new(0),
            senders_left: AtomicU64::new(u64::from(senders)),
            last: AtomicU64::new(micros(started)),
            failures: AtomicU64::new(0),
            paced: AtomicU64::new(0),
            bar: bar(work, messages),
        };
        let measured: Vec<Meters> = thread::scope(|scope| {
            let begin = |index: u16| {
                let (run, client) = (&run, &self.clients[usize::from(index)]);
                scope.spawn(move || run.client(work, index < senders, client))
            };
            let running: Vec<_> = (0..all).map(begin).collect();
            let ended = running.into_iter().map(thread::ScopedJoinHandle::join);
            ended.map(|ended| ended.expect("a client does not panic")).collect()
        });
        run.bar.finish_and_clear();
        for meters in measured {
            phase.add(meters);
        }
        let done = run.done.into_inner();
        let took = Duration::from_micros(run.last.into_inner()).saturating_sub(started);
        phase.took += took;
        if work != Work::Send && !self.is_stopped() {
            phase.missing += run.sent.into_inner().saturating_sub(done);
        }
        if run.bar.is_hidden() && !self.bench.json {
            eprintln!("{}: {done} messages in {:.1} s", phase.name, took.as_secs_f64());
        }
        if run.failures.into_inner() >= FAILURES {
            bail!(
                "given up: {FAILURES} requests failed one after the other in phase {}",
                phase.name
            );
        }
        Ok(done)
    }

    fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}

impl Run<'_> {
    /// What one client does in the phase.
    fn client(&self, work: Work, sends: bool, client: &Client) -> Meters {
        let mut meters = Meters::new();
        match work {
            Work::Send => self.send(client, &mut meters),
            Work::Mix if sends => self.send(client, &mut meters),
            Work::Receive => self.receive(client, &mut meters, false),
            Work::Consume | Work::Mix => self.receive(client, &mut meters, true),
            Work::Delete => self.delete(client, &mut meters),
        }
        meters
    }

    fn send(&self, client: &Client, meters: &mut Meters) {
        let batch = u64::from(self.load.bench.batch);
        while self.goes_on() {
            let from = self.begun.fetch_add(batch, Ordering::Relaxed);
            if from >= self.target {
                break;
            }
            let due = self.due();
            let entries: Vec<Value> = (from..self.target.min(from + batch))
                .map(|number| self.message(number - from, due))
                .collect();
            let call = Call { client, single: "SendMessage", batch: "SendMessageBatch" };
            let sent = self.change(&call, meters, entries, due);
            if self.mixed {
                self.sent.fetch_add(sent, Ordering::Relaxed);
            } else {
                self.went_through(sent);
            }
        }
        self.senders_left.fetch_sub(1, Ordering::Release);
    }

    /// A message whose body begins with when it was due.
    fn message(&self, id: u64, due: Duration) -> Value {
        let bench = self.load.bench;
        let stamp = format!("{:016x}", micros(due));
        let rest = "x".repeat(bench.size.as_usize() - stamp.len());
        let mut entry = json!({ "Id": id.to_string(), "MessageBody": stamp + &rest });
        if bench.fifo {
            let serial = self.load.serial.fetch_add(1, Ordering::Relaxed);
            let group = serial % u64::from(bench.groups.unwrap_or(bench.clients));
            entry["MessageGroupId"] = json!(format!("group-{group}"));
            entry["MessageDeduplicationId"] = json!(format!("message-{serial}"));
        }
        entry
    }

    /// Receives until everything has come. What is not deleted at once is held for later.
    fn receive(&self, client: &Client, meters: &mut Meters, delete: bool) {
        let parameters = json!({
            "QueueUrl": self.load.queue,
            "MaxNumberOfMessages": self.load.bench.batch,
            "WaitTimeSeconds": LONG_POLL,
        });
        while self.goes_on() && !self.all_came() {
            // Those who consume what others send, at a rate, need none of their own.
            let due = if self.mixed { self.now() } else { self.due() };
            let Some(answer) = self.call(client, meters, "ReceiveMessage", &parameters) else {
                continue;
            };
            let now = self.now();
            let messages = answer["Messages"].as_array().map_or(&[][..], Vec::as_slice);
            let meter = meters.entry("ReceiveMessage").or_default();
            if messages.is_empty() {
                meter.empty += 1;
                continue;
            }
            let count = messages.len() as u64;
            meter.answered(now.saturating_sub(due), count);
            if self.mixed {
                let delivery = meters.entry("(delivery)").or_default();
                messages.iter().filter_map(sent_at).for_each(|sent| {
                    delivery.answered(now.saturating_sub(sent), 1);
                });
            }
            let handle = |message: &Value| message["ReceiptHandle"].as_str().map(str::to_owned);
            let handles: Vec<_> = messages.iter().filter_map(handle).collect();
            if delete {
                let count = self.delete_these(client, meters, &handles, self.now());
                self.went_through(count);
            } else {
                let mut held = self.load.held.lock().unwrap_or_else(PoisonError::into_inner);
                held.push(handles);
                drop(held);
                self.went_through(count);
            }
        }
    }

    fn delete(&self, client: &Client, meters: &mut Meters) {
        while self.goes_on() {
            let next = self.load.held.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let Some(handles) = next else { break };
            let count = self.delete_these(client, meters, &handles, self.due());
            self.went_through(count);
        }
    }

    fn delete_these(
        &self,
        client: &Client,
        meters: &mut Meters,
        handles: &[String],
        due: Duration,
    ) -> u64 {
        let handles = handles.iter().enumerate();
        let entry = |(id, handle)| json!({ "Id": format!("{id}"), "ReceiptHandle": handle });
        let call = Call { client, single: "DeleteMessage", batch: "DeleteMessageBatch" };
        self.change(&call, meters, handles.map(entry).collect(), due)
    }

    /// Sends or deletes; returns how many messages that went well with.
    fn change(
        &self,
        call: &Call<'_>,
        meters: &mut Meters,
        mut entries: Vec<Value>,
        due: Duration,
    ) -> u64 {
        let many = entries.len() as u64;
        let (operation, parameters) = if self.load.bench.batch == 1 {
            let mut parameters = entries.pop().unwrap_or_default();
            if let Some(parameters) = parameters.as_object_mut() {
                parameters.remove("Id");
                parameters.insert("QueueUrl".to_owned(), json!(self.load.queue));
            }
            (call.single, parameters)
        } else {
            (call.batch, json!({ "QueueUrl": self.load.queue, "Entries": entries }))
        };
        let Some(answer) = self.call(call.client, meters, operation, &parameters) else { return 0 };
        let meter = meters.entry(operation).or_default();
        let failed = answer["Failed"].as_array().map_or(&[][..], Vec::as_slice);
        for entry in failed {
            meter.failed(entry["Code"].as_str().unwrap_or("Failed"));
        }
        let well = many.saturating_sub(failed.len() as u64);
        meter.answered(self.now().saturating_sub(due), well);
        well
    }

    fn call(
        &self,
        client: &Client,
        meters: &mut Meters,
        operation: &'static str,
        parameters: &Value,
    ) -> Option<Value> {
        let error = match client.try_sqs(operation, parameters) {
            Ok(Ok(answer)) => {
                self.failures.store(0, Ordering::Relaxed);
                return Some(answer);
            }
            Ok(Err(refusal)) => refusal.code,
            Err(error) => error.root_cause().to_string(),
        };
        meters.entry(operation).or_default().failed(&error);
        self.failures.fetch_add(1, Ordering::Relaxed);
        thread::sleep(BREATHER);
        None
    }

    fn went_through(&self, messages: u64) {
        if messages > 0 {
            self.done.fetch_add(messages, Ordering::Relaxed);
            self.last.fetch_max(micros(self.now()), Ordering::Relaxed);
            self.bar.inc(messages);
        }
    }

    fn goes_on(&self) -> bool {
        !self.load.is_stopped() && self.failures.load(Ordering::Relaxed) < FAILURES
    }

    /// Everything that was sent has come, or does not come any more.
    fn all_came(&self) -> bool {
        if self.senders_left.load(Ordering::Acquire) > 0 {
            return false;
        }
        let quiet = micros(self.now()).saturating_sub(self.last.load(Ordering::Relaxed));
        self.done.load(Ordering::Relaxed) >= self.sent.load(Ordering::Relaxed)
            || Duration::from_micros(quiet) > MISSING_AFTER
    }

    /// When the next request is due. Waits until then; who comes late does not wait, and his
    /// lateness is in the latency, as those feel it whom an endpoint keeps waiting.
    fn due(&self) -> Duration {
        let Some(rate) = self.load.bench.rate else { return self.now() };
        let number = self.paced.fetch_add(1, Ordering::Relaxed);
        let due = self.started + Duration::from_secs(number) / rate;
        while self.goes_on() {
            let early = due.saturating_sub(self.now());
            if early.is_zero() {
                break;
            }
            thread::sleep(early.min(NAP));
        }
        due
    }

    fn now(&self) -> Duration {
        self.load.clock.monotonic()
    }
}

/// An operation in its two forms.
struct Call<'a> {
    client: &'a Client,
    single: &'static str,
    batch: &'static str,
}

/// When a message was due to be sent.
fn sent_at(message: &Value) -> Option<Duration> {
    let body = message["Body"].as_str()?;
    let stamp = body.get(..usize::try_from(STAMP).ok()?)?;
    u64::from_str_radix(stamp, 16).ok().map(Duration::from_micros)
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

/// A line that fills up, on a terminal only.
fn bar(work: Work, messages: u64) -> ProgressBar {
    let style = "{prefix:>8} {wide_bar} {pos}/{len}  {per_sec}  {eta} left";
    let style = ProgressStyle::with_template(style).expect("the template is right");
    ProgressBar::new(messages).with_style(style).with_prefix(work.name())
}
