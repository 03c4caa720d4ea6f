//! How a unit's command becomes a process: whom it runs as, where, and with which variables.

use std::collections::BTreeMap;
use std::os::unix::process::CommandExt as _;
use std::process::{Command as Process, Stdio};

use rustix::process::{getegid, geteuid, getpid};

use crate::process::exec::{Become, INVOCATION, SET, number_of, order};
use crate::process::folder::Folder;
use crate::process::plan::{MARK, Plan};
use crate::process::user::{self, Group, User};
use crate::unit::{Command, Host, Limit, Output, Service};

const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// Open files of a process, as systemd has it: soft and hard.
const FILES: (u64, u64) = (1024, 524_288);

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
    let found = plan.user.as_deref().and_then(|name| user::find(name).ok()?);
    let user = found.filter(|_| own.uid == 0).unwrap_or(own);
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
        Some(name) => {
            let found = user::find(name).map_err(|error| unlaunched(217, error.to_string()))?;
            found.ok_or_else(|| unlaunched(217, format!("there is no user {name}")))?
        }
    };
    let by_unit = service.user.is_some() || plan.user.is_none();
    if user.uid == 0 && by_unit && !plan.allow_root {
        let why = "no program runs as root: allow it with --instances-as-root, or name a user";
        return Err(unlaunched(217, why));
    }
    let all = user::groups().map_err(|error| unlaunched(216, error.to_string()))?;
    let groups = groups(&user, service.group.as_deref(), &all, plan.allow_root)?;
    Ok(Identity { user, groups: Some(groups), note: None })
}

/// The groups that a user's programs have, their own first: the one that is `named`, or the user's.
/// What no user may become by its name it does not become by its group.
fn groups(
    user: &User,
    named: Option<&str>,
    all: &[Group],
    allow_root: bool,
) -> Result<Vec<u32>, Unlaunched> {
    // Whoever may be root may be all.
    let free = allow_root || user.uid == 0;
    let others = all.iter().filter(|group| group.has(&user.name)).map(|group| group.gid);
    let others: Vec<u32> = others.filter(|gid| free || *gid != 0).collect();
    let gid = match named {
        None => user.gid,
        Some(name) => user::group(all, name)
            .ok_or_else(|| unlaunched(216, format!("there is no group {name}")))?,
    };
    if gid == 0 && !free {
        let why = "no program runs in root's group: allow it with --instances-as-root";
        return Err(unlaunched(216, why));
    }
    if gid != user.gid && !free && !others.contains(&gid) {
        let group = named.unwrap_or_default();
        let why = format!("{} is not in the group {group}", user.name);
        return Err(unlaunched(216, why));
    }
    let besides = others.into_iter().filter(|other| *other != gid);
    Ok(std::iter::once(gid).chain(besides).collect())
}

fn unlaunched(code: i32, why: impl Into<String>) -> Unlaunched {
    Unlaunched { code, why: why.into() }
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
        let what = self.becomes(command.clone());
        let set = |(name, value)| (format!("{SET}{name}"), value);
        let piped = |output| match output {
            Output::Log => Stdio::piped(),
            Output::Null => Stdio::null(),
        };
        let mut process = Process::new("/proc/self/exe");
        process
            .arg0("tidemill")
            .args(["shim", "--exec", &order(&what)])
            .env_clear()
            .envs(self.environment().into_iter().map(set))
            .env(INVOCATION, self.invocation)
            .env(MARK, &self.plan.mark)
            .stdin(Stdio::null())
            .stdout(piped(self.service.output))
            .stderr(piped(self.service.error));
        process.spawn().map_err(|error| unlaunched(203, format!("no process: {error}")))
    }

    fn becomes(&self, command: Command) -> Become {
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
        let files = service.environment_files.iter();
        let files = files.map(|(path, may)| (path.to_string_lossy().into_owned(), *may));
        Become {
            parent: getpid().as_raw_nonzero().get(),
            user: groups.map(|groups| (self.identity.user.uid, groups)),
            folder,
            fallback,
            umask: service.umask,
            nice: service.nice,
            limits: self.limits(),
            no_new_privileges: service.no_new_privileges || !self.plan.allow_root,
            command,
            files: files.collect(),
            unset: service.unset.clone(),
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

    /// The variables of the program but for those of files, which its user has to read.
    fn environment(&self) -> BTreeMap<String, String> {
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
        environment.extend(self.plan.environment.iter().cloned());
        environment.extend(service.environment.clone());
        environment
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(name: &str, uid: u32) -> User {
        let (name, home, shell) = (name.to_owned(), "/".to_owned(), "/bin/sh".to_owned());
        User { name, uid, gid: uid, home, shell }
    }

    fn all() -> Vec<Group> {
        [("root", 0, "ada"), ("shadow", 42, ""), ("audio", 29, "ada,bob"), ("ada", 7, "")]
            .map(|(name, gid, members)| Group {
                name: name.to_owned(),
                gid,
                members: members.split(',').map(str::to_owned).collect(),
            })
            .into()
    }

    #[test]
    fn a_user_has_the_groups_that_the_machine_gives_it_but_not_roots() {
        let groups = |named| groups(&user("ada", 7), named, &all(), false);
        assert_eq!(groups(None).unwrap(), [7, 29]);
        assert_eq!(groups(Some("audio")).unwrap(), [29]);
        assert_eq!(groups(Some("29")).unwrap(), [29]);
        assert_eq!(groups(Some("ada")).unwrap(), [7, 29]);
        for (named, why) in [
            ("root", "root's group"),
            ("0", "root's group"),
            ("shadow", "ada is not in the group shadow"),
            ("4294967295", "ada is not in"),
            ("nobody", "there is no group nobody"),
        ] {
            let refused = groups(Some(named)).unwrap_err();
            assert!(refused.code == 216 && refused.why.contains(why), "{named}: {refused:?}");
        }
    }

    #[test]
    fn whoever_may_be_root_may_have_any_group() {
        assert_eq!(groups(&user("ada", 7), Some("shadow"), &all(), true).unwrap(), [42, 0, 29]);
        assert_eq!(groups(&user("root", 0), None, &all(), false).unwrap(), [0]);
    }
}
