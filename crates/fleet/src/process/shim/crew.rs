//! The units of an instance while it runs: their machines, their processes, their timers.

use std::cell::RefCell;
use std::collections::HashSet;
use std::io;
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::time::Duration;

use rustix::io::Errno;
use rustix::process::{Pid, WaitOptions, WaitStatus, getpid, wait};
use tidemill_base::{Chance, Clock};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::launch::{self, Identity, Launch};
use super::pipes::{Flow, follow};
use super::watch::{self, Found, Use};
use super::{Pen, SHIM};
use crate::process::exec::INVOCATION;
use crate::process::folder::Folder;
use crate::process::logbook::Stream;
use crate::process::plan::{Plan, Status, UnitStatus};
use crate::process::supervise::{Do, Supervisor, View, Whom};
use crate::process::tree::{self, Process};
use crate::unit::{
    Command, Ended, KillMode, Last, Moment, Program, Script, Service, ServiceKind, Signal, Timer,
    Unit,
};

/// How often to look while somebody is waited for.
const SOON: Duration = Duration::from_millis(20);
/// How often to look otherwise.
const LATER: Duration = Duration::from_secs(1);
/// How long what scripts left behind has to end.
const GRACE: Duration = Duration::from_secs(30);
/// How long what was printed before the end may take to be read.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// No limit on a stop is longer, as far as the server waits for it.
const PATIENCE: Duration = Duration::from_hours(24);

/// All that an instance runs.
pub(super) struct Crew {
    folder: Folder,
    plan: Plan,
    pen: Pen,
    clock: Clock,
    chance: Chance,
    /// When the instance was started, as the clock counts.
    booted: Duration,
    members: Vec<Member>,
    timers: Vec<Watchmaker>,
    flow: Rc<RefCell<Flow>>,
    /// Those who read what programs print, until these have ended.
    readers: Vec<JoinHandle<()>>,
    used: Use,
    looked: Duration,
    told: Option<Status>,
    stopping: Stopping,
}

/// A service and its process.
struct Member {
    name: String,
    supervisor: Supervisor,
    identity: Option<Identity>,
    /// The process that runs one of its commands. It is our child, and was not asked yet how it
    /// ended: nobody else has its number.
    first: Option<Pid>,
    /// Marks all processes of this run of it.
    invocation: String,
}

/// A timer and what it remembers.
struct Watchmaker {
    name: String,
    timer: Timer,
    last: Last,
}

/// How far a stop is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stopping {
    No,
    /// The services are asked.
    Services,
    /// Whoever is left is asked, and killed then.
    Others(Duration),
    /// Whoever is left is killed.
    Killing,
    Done,
}

impl Crew {
    /// The crew of a plan; an error says why it cannot be run.
    pub(super) fn new(
        folder: Folder,
        plan: Plan,
        pen: Pen,
        clock: Clock,
        chance: Chance,
    ) -> Result<Self, String> {
        let host = launch::host(&plan, &folder);
        let program = Program::read(&plan.user_data, &host);
        let program = program.map_err(|why| format!("the user data: {why}"))?;
        for note in &program.notes {
            pen.say(SHIM, note);
        }
        let now = clock.monotonic();
        let flow = Rc::new(RefCell::new(Flow::new(now)));
        let (used, stopping) = (Use::default(), Stopping::No);
        let (members, timers) = (Vec::new(), Vec::new());
        let (booted, looked, told) = (now, now, None);
        let mut crew = Self {
            folder,
            plan,
            pen,
            clock,
            chance,
            booted,
            members,
            timers,
            flow,
            readers: Vec::new(),
            used,
            looked,
            told,
            stopping,
        };
        for unit in program.units {
            crew.add(unit)?;
        }
        if let Some(user) = crew.members.iter().find_map(|member| member.identity.as_ref())
            && user.groups.is_some()
        {
            let given = crew.folder.give_home(user.user.uid, user.user.gid);
            given.map_err(|error| format!("the instance's folder: {error}"))?;
        }
        Ok(crew)
    }

    fn add(&mut self, unit: Unit) -> Result<(), String> {
        let (name, service) = match unit {
            Unit::Timer(name, timer) => {
                let last = Last { looked: self.clock.now().as_secs(), ..Last::default() };
                self.timers.push(Watchmaker { name, timer, last });
                return Ok(());
            }
            Unit::Service(name, service) => (name, *service),
            Unit::Script(script) => {
                let service = self
                    .script(&script)
                    .map_err(|error| format!("the script {}: {error}", script.name))?;
                (script.name, service)
            }
        };
        let identity = match launch::identity(&service, &self.plan) {
            Ok(identity) => {
                if let Some(note) = &identity.note {
                    self.pen.say(&name, note);
                }
                Some(identity)
            }
            // It is told when the service is started, as any other reason that it does not run.
            Err(_) => None,
        };
        let supervisor = Supervisor::new(service);
        let (first, invocation) = (None, String::new());
        self.members.push(Member { name, supervisor, identity, first, invocation });
        Ok(())
    }

    /// A script as a service: it runs once, and whom it leaves behind stays.
    fn script(&self, script: &Script) -> io::Result<Service> {
        let mut service = Service::new(ServiceKind::Oneshot, Vec::new());
        let identity = launch::identity(&service, &self.plan).ok();
        let owner = identity.and_then(|one| one.groups.map(|groups| (one.user.uid, groups[0])));
        let path = self.folder.put_program(&script.name, &script.text, owner)?;
        service.run.push(Command::plain(path.to_string_lossy(), Vec::new()));
        service.kill = KillMode::Process;
        service.stop_timeout = GRACE;
        Ok(service)
    }

    /// Since the instance was started.
    fn up(&self) -> Duration {
        self.clock.monotonic().saturating_sub(self.booted)
    }

    /// Starts what starts with the instance.
    pub(super) fn begin(&mut self) {
        let timed: HashSet<String> =
            self.timers.iter().map(|maker| maker.timer.unit.clone()).collect();
        for index in 0..self.members.len() {
            if !timed.contains(&self.members[index].name) {
                self.start(index);
            }
        }
    }

    fn start(&mut self, index: usize) {
        let up = self.up();
        let todo = self.members[index].supervisor.start(up);
        self.carry_out(index, todo);
    }

    /// Asks all to stop.
    pub(super) fn stop(&mut self) {
        if self.stopping != Stopping::No {
            return;
        }
        self.pen.say(SHIM, "stopping");
        self.stopping = Stopping::Services;
        let up = self.up();
        for index in 0..self.members.len() {
            let todo = self.members[index].supervisor.stop(up);
            self.carry_out(index, todo);
        }
    }

    /// Ends all, at once.
    pub(super) fn kill(&mut self) {
        self.stop();
        self.stopping = Stopping::Killing;
    }

    pub(super) fn is_done(&self) -> bool {
        self.stopping == Stopping::Done
    }

    /// Waits until what programs have printed is in the log; for a while.
    pub(super) async fn hear_out(&mut self) {
        let readers = std::mem::take(&mut self.readers);
        let all = async {
            for reader in readers {
                // One that panicked has told it itself, and reads no more.
                drop(reader.await);
            }
        };
        if timeout(LAST_WORDS, all).await.is_err() {
            self.pen.say(SHIM, "what was printed last is not all here: it was too much");
        }
    }

    /// Brings all up to date, and says how long nothing will have to be done by itself.
    pub(super) fn settle(&mut self) -> Duration {
        let is_alone = self.reap();
        let up = self.up();
        for index in 0..self.members.len() {
            let due = self.members[index].supervisor.deadline().is_some_and(|due| due <= up);
            if due {
                let todo = self.members[index].supervisor.tick(up);
                self.carry_out(index, todo);
            }
            if self.members[index].supervisor.is_killing() {
                self.signal_all(index, Signal::KILL);
            }
            if self.members[index].supervisor.is_clearing() && self.is_clear(index, is_alone) {
                let todo = self.members[index].supervisor.swept(up);
                self.carry_out(index, todo);
            }
        }
        let timers = self.follow_timers();
        self.watch(up);
        self.finish(up);
        let deadlines = self.members.iter().filter_map(|member| member.supervisor.deadline());
        let deadlines = deadlines.map(|due| due.saturating_sub(up));
        let clearing = self
            .members
            .iter()
            .any(|member| member.supervisor.is_clearing() || member.supervisor.is_killing());
        let most = match self.stopping {
            Stopping::No | Stopping::Services if !clearing => LATER,
            _ => SOON,
        };
        deadlines.chain(timers).min().unwrap_or(most).min(most)
    }

    /// Asks how children ended. Says whether there are none any more: then nothing is left of all
    /// that the instance ran, since whoever loses its parent becomes our child.
    fn reap(&mut self) -> bool {
        loop {
            match wait(WaitOptions::NOHANG) {
                Ok(Some((pid, status))) => {
                    let is_first = |member: &Member| member.first == Some(pid);
                    let Some(index) = self.members.iter().position(is_first) else { continue };
                    self.members[index].first = None;
                    self.ended(index, how(status));
                }
                Ok(None) => return false,
                Err(error) => return error == Errno::CHILD,
            }
        }
    }

    /// Whether nothing is left of a service.
    fn is_clear(&self, index: usize, is_alone: bool) -> bool {
        let is_only = self.members.len() == 1;
        let seems_clear = || self.processes_of(index).is_ok_and(|left| left.is_empty());
        self.members[index].first.is_none() && (is_alone || !is_only && seems_clear())
    }

    /// Signals all processes of a service. Those that cannot be seen just now are not.
    fn signal_all(&self, index: usize, signal: Signal) {
        for process in self.processes_of(index).unwrap_or_default() {
            process.signal(signal);
        }
    }

    fn ended(&mut self, index: usize, ended: Ended) {
        let up = self.up();
        let todo = self.members[index].supervisor.ended(up, ended);
        self.carry_out(index, todo);
    }

    /// Starts what timers say is due; gives how long until the next.
    fn follow_timers(&mut self) -> Option<Duration> {
        if self.stopping != Stopping::No {
            return None;
        }
        let moment =
            Moment { up: self.up(), wall: Duration::from_millis(self.clock.now().as_millis()) };
        let mut soonest = None;
        for at in 0..self.timers.len() {
            let maker = &mut self.timers[at];
            let mut due = maker.timer.due(moment, maker.last);
            if due == Some(Duration::ZERO) {
                // It runs from here on: it has yet to end.
                (maker.last.activated, maker.last.ended) = (Some(moment.up), None);
                maker.last.looked = moment.wall.as_secs();
                let unit = maker.timer.unit.clone();
                if let Some(index) = self.members.iter().position(|member| member.name == unit) {
                    self.start(index);
                }
                // However short its span is, it is not followed without a rest.
                let maker = &self.timers[at];
                due = maker.timer.due(moment, maker.last).map(|due| due.max(SOON));
            }
            soonest = due.into_iter().chain(soonest).min();
        }
        soonest
    }

    /// Looks at what the instance uses, now and then.
    fn watch(&mut self, up: Duration) {
        if up.saturating_sub(self.looked) < LATER {
            return;
        }
        self.looked = up;
        let looked = watch::look(getpid(), self.plan.memory, self.plan.processes);
        // What cannot be seen now is looked at the next time.
        let Ok((used, found)) = looked else { return };
        self.used = used;
        let mib = |bytes: u64| bytes >> 20;
        match found {
            Found::Well => {}
            Found::Memory(held, process) => self.pen.say(
                SHIM,
                &format!(
                    "out of memory: {} MiB are held where there are {}; {} (pid {}) was killed",
                    mib(held),
                    mib(self.plan.memory),
                    process.name,
                    process.pid.as_raw_nonzero(),
                ),
            ),
            Found::Processes(count) => self.pen.say(
                SHIM,
                &format!(
                    "{count} processes where there may be {}: all were killed",
                    self.plan.processes
                ),
            ),
        }
    }

    /// Goes on with a stop.
    fn finish(&mut self, up: Duration) {
        if self.stopping == Stopping::Services
            && self.members.iter().all(|member| member.supervisor.is_down())
            && let Ok(others) = tree::descendants(getpid())
        {
            self.stopping = Stopping::Others(up + GRACE);
            for process in others {
                process.signal(Signal::TERM);
                process.signal(Signal::CONT);
            }
        }
        if matches!(self.stopping, Stopping::Others(until) if up >= until) {
            self.stopping = Stopping::Killing;
        }
        if matches!(self.stopping, Stopping::Others(_) | Stopping::Killing) {
            if self.reap() {
                self.stopping = Stopping::Done;
            } else if self.stopping == Stopping::Killing {
                for process in tree::descendants(getpid()).unwrap_or_default() {
                    process.signal(Signal::KILL);
                }
            }
        }
    }

    fn carry_out(&mut self, index: usize, todo: Vec<Do>) {
        for one in todo {
            match one {
                Do::Run(command) => self.run(index, &command),
                Do::Say(what) => self.pen.say(&self.members[index].name, &what),
                Do::Signal(signal, Whom::First) => {
                    if let Some(first) = self.members[index].first.and_then(Process::look) {
                        first.signal(signal);
                    }
                }
                Do::Signal(signal, Whom::All) => self.signal_all(index, signal),
                Do::Ended => {
                    let up = self.up();
                    let name = &self.members[index].name;
                    for maker in self.timers.iter_mut().filter(|one| one.timer.unit == *name) {
                        maker.last.ended = Some(up);
                    }
                }
            }
        }
    }

    fn run(&mut self, index: usize, command: &Command) {
        let invocation = self.chance.bytes::<16>().map(|byte| format!("{byte:02x}")).concat();
        let member = &mut self.members[index];
        member.invocation = invocation;
        let launched = launch::identity(member.supervisor.service(), &self.plan);
        let launched = launched.and_then(|identity| {
            let launch = Launch {
                plan: &self.plan,
                folder: &self.folder,
                service: member.supervisor.service(),
                identity: &identity,
                invocation: &member.invocation,
            };
            launch.spawn(command)
        });
        match launched {
            Ok(child) => {
                member.first = Some(Pid::from_child(&child));
                let name = member.name.clone();
                let out = child.stdout.map(OwnedFd::from).map(|pipe| (pipe, Stream::Out));
                let err = child.stderr.map(OwnedFd::from).map(|pipe| (pipe, Stream::Err));
                self.readers.retain(|reader| !reader.is_finished());
                for (pipe, stream) in out.into_iter().chain(err) {
                    let (pen, flow, clock) =
                        (self.pen.clone(), Rc::clone(&self.flow), self.clock.clone());
                    self.readers.push(follow(pipe, stream, name.clone(), pen, flow, clock));
                }
            }
            Err(unlaunched) => {
                self.pen.say(&member.name, &unlaunched.why);
                self.ended(index, Ended::Code(unlaunched.code));
            }
        }
    }

    /// The processes of a service: those that carry its mark, and what came of them. Where it is
    /// the only one, all that the instance has are its own. An error if they cannot be seen.
    fn processes_of(&self, index: usize) -> io::Result<Vec<Process>> {
        let all = tree::descendants(getpid())?;
        if self.members.len() == 1 {
            return Ok(all);
        }
        let member = &self.members[index];
        let mark = format!("{INVOCATION}={}", member.invocation);
        let mut own: HashSet<i32> = HashSet::new();
        // Parents come before what came of them.
        let mut found = Vec::new();
        for process in all {
            let first = member.first == Some(process.pid);
            if first || own.contains(&process.parent) || process.is_marked(&mark)? {
                own.insert(process.pid.as_raw_nonzero().get());
                found.push(process);
            }
        }
        Ok(found)
    }

    /// Writes the status, if it is another than before.
    pub(super) fn publish(&mut self) {
        let status = self.status();
        if self.told.as_ref() != Some(&status) {
            match self.folder.put_status(&status) {
                Ok(()) => self.told = Some(status),
                Err(error) => self.pen.say(SHIM, &format!("the status was not written: {error}")),
            }
        }
    }

    fn status(&self) -> Status {
        let stops = self.members.iter().map(|member| member.supervisor.service().stop_timeout);
        let longest = stops.max().unwrap_or_default().min(PATIENCE);
        let services = self.members.iter().map(Member::status);
        let timers = self.timers.iter().map(|maker| UnitStatus {
            name: maker.name.clone(),
            state: "active".to_owned(),
            ..UnitStatus::default()
        });
        Status {
            boot: self.plan.boot,
            up: self.stopping == Stopping::No,
            units: services.chain(timers).collect(),
            failure: None,
            // A process may be asked twice, and what it left behind once.
            patience: (longest * 2 + GRACE * 2).as_secs(),
            processes: self.used.processes,
            memory: self.used.memory,
            ended: self.stopping == Stopping::Done,
        }
    }
}

impl Member {
    fn status(&self) -> UnitStatus {
        let state = match self.supervisor.view() {
            View::Active => "active",
            View::Activating => "activating",
            View::Deactivating => "deactivating",
            View::Inactive => "inactive",
            View::Failed => "failed",
        };
        let pid = self.first.map(|first| first.as_raw_nonzero().get().unsigned_abs());
        let ended = self.supervisor.outcome().ended.map(|ended| ended.to_string());
        let (name, restarts) = (self.name.clone(), self.supervisor.restarts());
        UnitStatus { name, state: state.to_owned(), pid, restarts, ended }
    }
}

fn how(status: WaitStatus) -> Ended {
    match (status.exit_status(), status.terminating_signal()) {
        (Some(code), _) => Ended::Code(code),
        (None, Some(signal)) => Ended::Signal(signal),
        // A process is waited for only when it has ended.
        (None, None) => Ended::Code(-1),
    }
}
