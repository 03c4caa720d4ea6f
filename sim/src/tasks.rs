//! Requests under way: polled when they were woken, in an order that the seed gives.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use tidemill_base::Timestamp;
use tidemill_journal::Position;
use tidemill_queue::model::Seen;
use tidemill_queue::{Error, QueueId, Receive, Refusal, Sequence};

use crate::asked::{Answer, Ask};
use crate::world::World;

/// A request, and how far it is.
pub(crate) struct Task {
    pub(crate) ask: Ask,
    future: Pin<Box<dyn Future<Output = Answer>>>,
    flag: Arc<Flag>,
    /// How often it was polled.
    polls: u64,
    /// The step in which it was asked.
    pub(crate) asked: u64,
    /// What was seen when it was first polled, and so decided.
    pub(crate) decided: Option<Decided>,
}

/// What a request did at once, and what it should have done.
#[derive(Debug)]
pub(crate) struct Decided {
    /// Behind the last record that the answer may rest on.
    pub(crate) end: Position,
    pub(crate) seen: Vec<Seen>,
    /// What messages of a send are known by, and which are duplicates.
    pub(crate) duplicates: Vec<(Option<u64>, bool)>,
    /// Which messages a deletion is for.
    pub(crate) deletes: Vec<Sequence>,
    /// The queue had something for a receiver afterwards.
    pub(crate) has_more: bool,
    /// The queue was there.
    pub(crate) had_queue: bool,
    pub(crate) now: Timestamp,
}

#[derive(Default)]
struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Task {
    pub(crate) fn is_woken(&self) -> bool {
        self.flag.0.load(Ordering::Relaxed)
    }

    /// Whether it waits for the disk, and nothing else.
    pub(crate) fn must_end(&self) -> bool {
        !matches!(&self.ask, Ask::Receive(_, ask) if ask.wait != Some(Duration::ZERO))
    }

    /// What it waits for at which queue, if it does wait for messages.
    fn waits_at(&self) -> Option<(QueueId, &Receive)> {
        // One that was handed something may still wait for the disk.
        let nothing = |decided: &Decided| {
            let handed = [Seen::Other("received"), Seen::Other("repeated")];
            !decided.seen.iter().any(|seen| handed.contains(seen))
        };
        let waits = self.decided.as_ref().is_some_and(nothing) && self.polls == 1;
        let waits = waits && !self.is_woken();
        match &self.ask {
            Ask::Receive(queue, ask) if waits && ask.wait != Some(Duration::ZERO) => {
                Some((*queue, ask))
            }
            _ => None,
        }
    }
}

impl World {
    pub(crate) fn begin(&self, ask: Ask) {
        self.say(|| format!("asks {}", brief(&ask)));
        let flag = Arc::new(Flag(AtomicBool::new(true)));
        let future = Box::pin(ask.clone().answer(self.engine()));
        let (asked, decided) = (self.step.get(), None);
        self.tasks.borrow_mut().push(Task { ask, future, flag, polls: 0, asked, decided });
    }

    /// Polls one that was woken, or any.
    pub(crate) fn go_on(&self, was_woken: bool) {
        let chosen = {
            let mut tasks = self.tasks.borrow_mut();
            let all = tasks.iter().enumerate();
            let fit: Vec<_> = all.filter(|(_, task)| !was_woken || task.is_woken()).collect();
            if fit.is_empty() {
                return;
            }
            let index = fit[self.dice.index(fit.len())].0;
            tasks.swap_remove(index)
        };
        self.poll(chosen);
    }

    fn poll(&self, mut task: Task) {
        for seen in self.mirror.seen() {
            self.note(&seen);
        }
        task.flag.0.store(false, Ordering::Relaxed);
        let before = task.decided.is_none().then(|| self.foresee(&task.ask));
        task.polls += 1;
        let waker = Waker::from(Arc::clone(&task.flag));
        let doing = self.doing.replace(crate::world::Doing::Alone);
        let polled = task.future.as_mut().poll(&mut Context::from_waker(&waker));
        self.doing.set(doing);
        let first = self.mirror.first();
        self.say(|| format!("goes on {}", brief(&task.ask)));
        let seen = self.mirror.seen();
        for one in &seen {
            self.note(one);
        }
        if let Some(before) = before {
            let decided = self.decided(&task.ask, before, seen, first);
            task.decided = Some(decided);
        }
        match polled {
            Poll::Ready(answer) => self.settle(&task, &answer),
            Poll::Pending => self.tasks.borrow_mut().push(task),
        }
    }

    /// What the model says of a request before it is carried out.
    fn foresee(&self, ask: &Ask) -> Decided {
        let now = self.now();
        let mut decided = Decided {
            end: self.mirror.end(),
            seen: Vec::new(),
            duplicates: Vec::new(),
            deletes: Vec::new(),
            has_more: false,
            had_queue: true,
            now,
        };
        match ask {
            Ask::Send(queue, messages) => {
                let contents: Vec<_> = messages.iter().map(|one| one.content.clone()).collect();
                decided.duplicates = self.mirror.duplicates(*queue, &contents, now);
                decided.had_queue = self.mirror.has(*queue);
            }
            Ask::Delete(queue, held) => {
                let held: Vec<_> = held.iter().map(|one| (one.sequence, one.receive)).collect();
                decided.deletes = self.mirror.deletes(*queue, &held, now);
                decided.had_queue = self.mirror.has(*queue);
            }
            Ask::Receive(queue, _) | Ask::Hide(queue, _) => {
                decided.had_queue = self.mirror.has(*queue);
            }
            _ => {}
        }
        decided
    }

    /// What a request did when it was first polled: all that it ever does to the state.
    fn decided(
        &self,
        ask: &Ask,
        before: Decided,
        seen: Vec<Seen>,
        first: Option<Position>,
    ) -> Decided {
        let is_its_own = match ask {
            Ask::Delete(..) => seen.iter().any(|seen| matches!(seen, Seen::Deleted(..))),
            Ask::Hide(..) => seen.contains(&Seen::Other("hidden")),
            Ask::Configure(..) | Ask::Tag(..) => seen.contains(&Seen::Other("administered")),
            _ => true,
        };
        let end = match ask {
            // What it was handed comes last.
            Ask::Receive(..) => self.mirror.end(),
            // What it records comes first, as a whole; the queue may go on after that.
            _ => first.filter(|_| is_its_own).unwrap_or(before.end),
        };
        if let Ask::Send(_, messages) = ask {
            let mut ledger = self.ledger.borrow_mut();
            let mut new = messages.iter().zip(&before.duplicates);
            for seen in &seen {
                if let Seen::Sent(at, known) = seen
                    && let Some((message, _)) = new.find(|(_, (by, _))| by == known)
                {
                    ledger.recorded(*at, &message.content.body);
                }
            }
        }
        let has_more = match ask {
            Ask::Receive(queue, ask) => {
                !self.drains(ask)
                    && self.mirror.has_visible(*queue, before.now, self.engine().watermark())
            }
            _ => false,
        };
        Decided { end, seen, has_more, ..before }
    }

    /// An answer has come, to somebody who believes it.
    fn settle(&self, task: &Task, answer: &Answer) {
        self.say(|| format!("answered {}: {}", brief(&task.ask), brief(answer)));
        if self.disk.is_dead() {
            // It never left the machine.
            return;
        }
        self.add_to_digest(format!("{answer:?}").as_bytes());
        self.count("answers", 1);
        match answer.error() {
            Some(Error::Failed(failure)) => {
                self.excuse(&format!("{}: {failure}", brief(&task.ask)));
                return;
            }
            Some(Error::Refused(refusal)) => {
                self.refused(task, refusal);
                return;
            }
            None => {}
        }
        let Some(decided) = &task.decided else { return };
        match answer {
            // Nothing at all rests on nothing.
            Answer::Received(Ok(got)) if got.is_empty() => {}
            Answer::Each(Ok(each)) if each.iter().all(Result::is_err) => {}
            Answer::Received(_) => self.handed.set(self.handed.get().max(decided.end)),
            _ => self.promised.set(self.promised.get().max(decided.end)),
        }
        self.believe(task, decided, answer);
    }

    fn refused(&self, task: &Task, refusal: &Refusal) {
        self.count("refused", 1);
        let is_gone = *refusal == Refusal::NoSuchQueue;
        let had_queue = task.decided.as_ref().is_some_and(|decided| decided.had_queue);
        let is_fine = match &task.ask {
            Ask::Send(..) | Ask::Delete(..) | Ask::Hide(..) => is_gone && !had_queue,
            // One that waits is told when its queue goes.
            Ask::Receive(queue, _) => is_gone && (!had_queue || !self.mirror.has(*queue)),
            _ => true,
        };
        if !is_fine {
            self.violate(&format!("{} was refused: {refusal}", brief(&task.ask)));
        }
    }

    /// A client goes away before it has its answer.
    pub(crate) fn cancel_one(&self) {
        let chosen = {
            let mut tasks = self.tasks.borrow_mut();
            if tasks.is_empty() {
                return;
            }
            let index = self.dice.index(tasks.len());
            tasks.swap_remove(index)
        };
        self.say(|| format!("nobody waits for {}", brief(&chosen.ask)));
        self.count("went away", 1);
        let doing = self.doing.replace(crate::world::Doing::Alone);
        drop(chosen);
        self.doing.set(doing);
    }

    /// Whether whoever asks is given nothing.
    fn drains(&self, ask: &Receive) -> bool {
        ask.holder.is_some_and(|holder| self.mirror.is_draining(holder))
    }

    /// Whoever waits for messages at a queue that has some was forgotten.
    pub(crate) fn look_for_forgotten(&self) {
        let Some(engine) = self.engine.borrow().clone() else { return };
        if engine.failure().is_some() || self.mirror.is_lenient() {
            return;
        }
        // What is due now is the timer's to see to.
        engine.tick();
        let (now, durable) = (self.now(), engine.watermark());
        if durable < self.mirror.end() {
            // The next round looks after those who wait.
            return;
        }
        let tasks = self.tasks.borrow();
        let waiting = tasks.iter().filter_map(Task::waits_at);
        for (queue, _) in waiting.filter(|(_, ask)| !self.drains(ask)) {
            if self.mirror.has_visible(queue, now, durable) {
                let counts = engine.describe(queue).map(|described| described.counts);
                self.violate(&format!("a receiver waits at {queue}, which has {counts:?}"));
                return;
            }
        }
    }
}

/// Something to say, in not too many words.
pub(crate) fn brief(what: &impl std::fmt::Debug) -> String {
    let mut text = format!("{what:?}");
    let mut end = text.len().min(240);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.truncate(end);
    text
}
