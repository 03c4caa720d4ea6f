//! How a unit's command becomes a process: whom it runs as, where, and with which variables.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::process::CommandExt as _;
use std::process::{Command as Process, Stdio};

use rustix::process::{getegid, geteuid, getpid};

use crate::process::exec::{Become, number_of, order};
use crate::process::folder::Folder;
use crate::process::plan::Plan;
use crate::process::user::{self, User};
use crate::unit::{Command, Host, Limit, Output, Service};

/// The variable that marks all processes of an instance.
const MARK: &str = "TIDEMILL_MARK";
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// Open files of a process, as systemd has it: soft and hard.
const FILES: (u64, u64) = (1024, 524_288);

/// The variable and value that mark the instance's processes.
pub(super) fn mark(plan: &Plan) -> String {
    format!("{MARK}={}", plan.mark)
}

/// Why a process cannot be made: systemd's exit code for it, and words.
#[derive(Debug)]
pub(super) struct Unlaunched {
    pub(super) code: i32,
    pub(super) why: String,
}

/// Whom a unit runs as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Identity {
    pub(super) user: User,
    /// The groups to take, its own first; None where nothing is to change.
    pub(super) groups: Option<Vec<u32>>,
    /// What is worth a line in the log.
    pub(super) note: Option<String>,
}

/// What units may know of where they run.
pub(super) fn host(plan: &Plan, folder: &Folder) -> Host {
    let own = own();
    let user = plan.user.as_deref().and_then(user::find).filter(|_| own.uid == 0).unwrap_or(own);
    Host {
        user: user.name,
        uid: user.uid,
        gid: user.gid,
        home: folder.home().to_string_lossy().into_owned(),
        name: plan.id.clone(),
    }
}

fn own() -> User {
    user::of_number(geteuid().as_raw(), getegid().as_raw())
}

/// Finds out whom a service runs as. Only root can run programs as others.
pub(super) fn identity(service: &Service, plan: &Plan) -> Result<Identity, Unlaunched> {
    let own = own();
    if own.uid != 0 {
        let named = [&service.user, &service.group].into_iter().flatten();
        let other = named.filter(|name| **name != own.name).map(String::as_str).next();
        let note = other.map(|other| {
            format!("it runs as {}, not as {other}: only root can run it as another", own.name)
        });
        return Ok(Identity { user: own, groups: None, note });
    }
    let wanted = service.user.as_ref().or(plan.user.as_ref());
    let user = match wanted {
        None => own,
        Some(name) => user::find(name)
            .ok_or_else(|| Unlaunched { code: 217, why: format!("there is no user {name}") })?,
    };
    let by_unit = service.user.is_some() || plan.user.is_none();
    if user.uid == 0 && by_unit && !plan.allow_root {
        let why = "no program runs as root: allow it with --instances-as-root, or name a user";
        return Err(Unlaunched { code: 217, why: why.to_owned() });
    }
    let gid = match &service.group {
        None => user.gid,
        Some(name) => user::group(name)
            .ok_or_else(|| Unlaunched { code: 216, why: format!("there is no group {name}") })?,
    };
    let mut groups = vec![gid];
    groups.extend(user::groups_of(&user.name).into_iter().filter(|other| *other != gid));
    Ok(Identity { user, groups: Some(groups), note: None })
}

/// What a command of a service is started as.
pub(super) struct Launch<'a> {
    pub(super) plan: &'a Plan,
    pub(super) folder: &'a Folder,
    pub(super) service: &'a Service,
    pub(super) identity: &'a Identity,
    /// Marks the processes of this run of the unit.
    pub(super) invocation: &'a str,
}

impl Launch<'_> {
    /// Makes the process. Its output comes through pipes, where it is not to be thrown away.
    pub(super) fn spawn(&self, command: &Command) -> Result<std::process::Child, Unlaunched> {
        let environment = self.environment()?;
        let argv = command.argv(&environment);
        let what = self.becomes(command.program.clone(), argv);
        let piped = |output| match output {
            Output::Log => Stdio::piped(),
            Output::Null => Stdio::null(),
        };
        let mut process = Process::new("/proc/self/exe");
        process
            .arg0("tidemill")
            .args(["shim", "--exec", &order(&what)])
            .env_clear()
            .envs(&environment)
            .stdin(Stdio::null())
            .stdout(piped(self.service.output))
            // Why a program does not run is worth knowing even where what it prints is not.
            .stderr(piped(self.service.error));
        let spawned = process.spawn();
        spawned.map_err(|error| Unlaunched { code: 203, why: format!("no process: {error}") })
    }

    fn becomes(&self, program: String, argv: Vec<String>) -> Become {
        let home = self.folder.home().to_string_lossy().into_owned();
        let service = self.service;
        let (folder, fallback) = match &service.folder {
            None => (home, Some("/".to_owned())),
            Some(folder) => {
                let path = folder.path.as_ref().map(|path| path.to_string_lossy().into_owned());
                let path = path.unwrap_or_else(|| self.identity.user.home.clone());
                (path, folder.may_be_missing.then_some(home))
            }
        };
        let groups = self.identity.groups.clone();
        Become {
            parent: getpid().as_raw_nonzero().get(),
            user: groups.map(|groups| (self.identity.user.uid, groups)),
            folder,
            fallback,
            umask: service.umask,
            nice: service.nice,
            limits: self.limits(),
            no_new_privileges: service.no_new_privileges || !self.plan.allow_root,
            program,
            argv,
        }
    }

    fn limits(&self) -> Vec<(u8, Option<u64>, Option<u64>)> {
        let service = self.service;
        // One process may map more than all may hold, since what is mapped is not yet held.
        let memory = service.memory_max.map_or(self.plan.memory, |most| most.min(self.plan.memory));
        let most = memory.saturating_mul(2);
        let mut limits = vec![
            (Limit::Core, Some(0), Some(0)),
            (Limit::Files, Some(FILES.0), Some(FILES.1)),
            (Limit::Data, Some(most), Some(most)),
        ];
        for (limit, soft, hard) in service.limits.iter().copied() {
            // A unit cannot give itself more memory than its instance has.
            let within = |value: Option<u64>| match limit {
                Limit::Data => Some(value.map_or(most, |value| value.min(most))),
                _ => value,
            };
            limits.retain(|(known, ..)| *known != limit);
            limits.push((limit, within(soft), within(hard)));
        }
        limits.into_iter().map(|(limit, soft, hard)| (number_of(limit), soft, hard)).collect()
    }

    fn environment(&self) -> Result<BTreeMap<String, String>, Unlaunched> {
        let (service, user) = (self.service, &self.identity.user);
        let home = match &service.user {
            Some(_) if self.identity.groups.is_some() => user.home.clone(),
            _ => self.folder.home().to_string_lossy().into_owned(),
        };
        let mut environment: BTreeMap<String, String> = BTreeMap::new();
        let mut set = |name: &str, value: &str| environment.insert(name.into(), value.into());
        set("PATH", PATH);
        set("LANG", "C.UTF-8");
        set("HOME", &home);
        set("USER", &user.name);
        set("LOGNAME", &user.name);
        set("SHELL", &user.shell);
        set("INVOCATION_ID", self.invocation);
        environment.extend(self.plan.environment.iter().cloned());
        environment.extend(service.environment.clone());
        for (path, may_be_missing) in &service.environment_files {
            match fs::read_to_string(path) {
                Ok(text) => environment.extend(variables(&text)),
                Err(error) if *may_be_missing && error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => {
                    let why = format!("EnvironmentFile {}: {error}", path.display());
                    return Err(Unlaunched { code: 209, why });
                }
            }
        }
        for name in &service.unset {
            environment.remove(name);
        }
        environment.insert(MARK.to_owned(), self.plan.mark.clone());
        Ok(environment)
    }
}

/// The variables of an EnvironmentFile: a line each, with quotes around a value taken off.
fn variables(text: &str) -> Vec<(String, String)> {
    let lines = text.lines().map(str::trim).filter(|line| !line.starts_with(['#', ';']));
    let pairs = lines.filter_map(|line| line.split_once('='));
    let bare = |value: &str| {
        let value = value.trim();
        let quoted = ['"', '\''].iter().find_map(|quote| {
            value.strip_prefix(*quote).and_then(|rest| rest.strip_suffix(*quote))
        });
        quoted.unwrap_or(value).to_owned()
    };
    pairs.map(|(name, value)| (name.trim().to_owned(), bare(value))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_variables_has_a_line_for_each() {
        let read = variables("# c\nA=1\n B = \"two words\" \nC='x'\nnothing\nD=\n");
        let expected = [("A", "1"), ("B", "two words"), ("C", "x"), ("D", "")];
        let expected: Vec<_> =
            expected.into_iter().map(|(k, v)| (k.to_owned(), v.to_owned())).collect();
        assert_eq!(read, expected);
    }
}
