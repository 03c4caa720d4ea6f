//! The keys of unit files: what each sets, which do no harm, and which are refused.

use std::time::Duration;

use super::calendar::Calendar;
use super::command::Command;
use super::file::{Entry, UnitFile, Wrong};
use super::service::{Folder, KillMode, Limit, Output, Restart, Service, ServiceKind};
use super::specifier::{Host, expand};
use super::timer::{Since, Timer};
use super::{span, words};

/// What was read of a unit, and what is worth a line in the log.
pub(super) struct Read<T> {
    pub(super) what: T,
    pub(super) notes: Vec<String>,
}

/// Keys that say nothing about what runs.
const HARMLESS: &[&str] = &[
    "Alias",
    "Also",
    "DefaultDependencies",
    "DefaultInstance",
    "Description",
    "Documentation",
    "ExecReload",
    "RequiredBy",
    "SourcePath",
    "SyslogFacility",
    "SyslogIdentifier",
    "SyslogLevel",
    "SyslogLevelPrefix",
    "UpheldBy",
    "WantedBy",
];

/// Keys without which a unit would do something else than it says.
const REFUSED: &[(&str, &str)] = &[
    ("Assert", "no condition is looked at"),
    ("BindsTo", "units of one instance do not wait for each other"),
    ("BusName", "there is no bus"),
    ("Condition", "no condition is looked at"),
    ("ExecCondition", "only ExecStartPre and ExecStart are run"),
    ("ExecStartPost", "only ExecStartPre and ExecStart are run"),
    ("ExecStop", "only ExecStartPre and ExecStart are run: KillSignal is what asks to stop"),
    ("FileDescriptorStoreMax", "no files are kept for it"),
    ("GuessMainPID", "the process of ExecStart is the service"),
    ("NotifyAccess", "nobody listens to notifications: use Type=simple"),
    ("OnFailure", "no other unit is started"),
    ("OnSuccess", "no other unit is started"),
    ("PIDFile", "the process of ExecStart is the service"),
    ("RootDirectory", "a process of an instance sees the machine's files"),
    ("RootImage", "a process of an instance sees the machine's files"),
    ("Sockets", "no sockets are handed over"),
    ("StandardInput", "a service has no input"),
    ("WatchdogSec", "nobody listens to a watchdog"),
];

/// Reads a service; `name` is the unit's.
pub(super) fn service(file: &UnitFile, name: &str, host: &Host) -> Result<Read<Service>, Wrong> {
    let kind = kind(file)?;
    let mut service = Service::new(kind, Vec::new());
    let mut notes = Vec::new();
    for entry in &file.entries {
        let wrong = |what: String| Wrong::new(entry.line, format!("{}: {what}", entry.key));
        let value = expand(&entry.value, name, host).map_err(wrong)?;
        let set = match &*entry.section {
            "Service" => set_service(&mut service, entry, &value).map_err(wrong)?,
            "Unit" => set_unit(&mut service, entry, &value).map_err(wrong)?,
            _ => false,
        };
        if !set {
            notes.extend(unset(entry, &value)?);
        }
    }
    let line = file.entries.first().map_or(1, |entry| entry.line);
    match (kind, service.run.len()) {
        (_, 0) => return Err(Wrong::new(line, "a service needs ExecStart")),
        (ServiceKind::Simple, 2..) => {
            return Err(Wrong::new(line, "only a oneshot has more than one ExecStart"));
        }
        _ => {}
    }
    if kind == ServiceKind::Oneshot
        && matches!(service.restart, Restart::Always | Restart::OnSuccess)
    {
        return Err(Wrong::new(line, "a oneshot is not started again when it ended well"));
    }
    Ok(Read { what: service, notes })
}

/// Reads a timer; `name` is the unit's.
pub(super) fn timer(file: &UnitFile, name: &str, host: &Host) -> Result<Read<Timer>, Wrong> {
    let stem = name.strip_suffix(".timer").unwrap_or(name);
    let mut timer = Timer { unit: format!("{stem}.service"), ..Timer::default() };
    let mut notes = Vec::new();
    for entry in &file.entries {
        let wrong = |what: String| Wrong::new(entry.line, format!("{}: {what}", entry.key));
        let value = expand(&entry.value, name, host).map_err(wrong)?;
        if entry.section != "Timer" {
            notes.extend(unset(entry, &value)?);
            continue;
        }
        let since = match &*entry.key {
            "OnActiveSec" | "OnBootSec" | "OnStartupSec" => Some(Since::Boot),
            "OnUnitActiveSec" => Some(Since::UnitActive),
            "OnUnitInactiveSec" => Some(Since::UnitInactive),
            _ => None,
        };
        match (&*entry.key, since) {
            (_, Some(since)) if value.is_empty() => timer.spans.retain(|(of, _)| *of != since),
            (_, Some(since)) => {
                let span = span::parse(&value).map_err(wrong)?;
                if span.is_zero() && since != Since::Boot {
                    return Err(wrong("it would never rest".to_owned()));
                }
                timer.spans.push((since, span));
            }
            ("OnCalendar", _) if value.is_empty() => timer.calendars.clear(),
            ("OnCalendar", _) => timer.calendars.push(Calendar::parse(&value).map_err(wrong)?),
            ("Unit", _) => timer.unit = value,
            // It is started to the second anyhow, and on its own.
            ("AccuracySec" | "WakeSystem", _) => {}
            _ => notes.extend(unset(entry, &value)?),
        }
    }
    if timer.spans.is_empty() && timer.calendars.is_empty() {
        let line = file.entries.first().map_or(1, |entry| entry.line);
        return Err(Wrong::new(line, "a timer needs OnCalendar, OnBootSec or another time"));
    }
    Ok(Read { what: timer, notes })
}

/// Which kind a service is: it says where the other keys begin from.
fn kind(file: &UnitFile) -> Result<ServiceKind, Wrong> {
    let last = |key: &str| {
        let mut entries = file.entries.iter().rev();
        entries.find(|entry| entry.section == "Service" && entry.key == key)
    };
    match last("Type").map(|entry| (entry, &*entry.value)) {
        None | Some((_, "" | "simple" | "exec" | "idle")) => Ok(ServiceKind::Simple),
        Some((_, "oneshot")) => Ok(ServiceKind::Oneshot),
        Some((entry, other)) => Err(Wrong::new(
            entry.line,
            format!(
                "Type={other} is not known here: run the program in the foreground, with \
                 Type=simple"
            ),
        )),
    }
}

/// What to say of a key that sets nothing, or why it is refused.
fn unset(entry: &Entry, value: &str) -> Result<Option<String>, Wrong> {
    let key = &*entry.key;
    if HARMLESS.contains(&key) || key.starts_with("X-") || entry.section.starts_with("X-") {
        return Ok(None);
    }
    match key {
        // Where the machine is up, its usual targets are.
        "After" | "Before" | "Wants" | "Requires" | "Requisite" | "PartOf" | "Conflicts" => {
            let mut others = value.split_whitespace().filter(|name| !is_usual(name));
            let Some(other) = others.next() else { return Ok(None) };
            if matches!(key, "Requires" | "Requisite") {
                let why = format!("{key}={other}: there is no such unit in an instance");
                return Err(Wrong::new(entry.line, why));
            }
            return Ok(Some(format!("line {}: {key}={other} has no effect", entry.line)));
        }
        _ => {}
    }
    let refused = REFUSED.iter().find(|(prefix, _)| {
        key == *prefix
            || (matches!(*prefix, "Assert" | "Condition" | "ExecStop") && key.starts_with(prefix))
    });
    match refused {
        Some((_, why)) if !value.is_empty() => {
            Err(Wrong::new(entry.line, format!("{key} is not known here: {why}")))
        }
        Some(_) => Ok(None),
        None => Ok(Some(format!("line {}: {key} has no effect", entry.line))),
    }
}

fn is_usual(unit: &str) -> bool {
    [".target", ".slice"].iter().any(|end| unit.ends_with(end))
        || matches!(unit, "systemd-networkd-wait-online.service" | "syslog.service")
}

/// Sets what `[Unit]` says of a service; false if it is another key.
fn set_unit(service: &mut Service, entry: &Entry, value: &str) -> Result<bool, String> {
    match &*entry.key {
        "StartLimitIntervalSec" | "StartLimitInterval" => {
            service.start_limit.1 = span::parse(value)?;
        }
        "StartLimitBurst" => service.start_limit.0 = number(value)?,
        "StartLimitAction" if value == "none" => {}
        _ => return Ok(false),
    }
    Ok(true)
}

/// Sets what `[Service]` says; false if it is another key.
fn set_service(service: &mut Service, entry: &Entry, value: &str) -> Result<bool, String> {
    let commands = |list: &mut Vec<Command>| {
        if value.is_empty() {
            list.clear();
        }
        Command::parse_all(value).map(|commands| list.extend(commands))
    };
    match &*entry.key {
        "Type" => {}
        "ExecStart" => commands(&mut service.run)?,
        "ExecStartPre" => commands(&mut service.before)?,
        "RemainAfterExit" => service.remains = boolean(value)?,
        "Restart" => service.restart = restart(value)?,
        "RestartSec" => service.rest = span::parse(value)?,
        "SuccessExitStatus" => service.good.add(value)?,
        "RestartPreventExitStatus" => service.final_ends.add(value)?,
        "RestartForceExitStatus" => service.forced_ends.add(value)?,
        "TimeoutSec" => {
            (service.start_timeout, service.stop_timeout) = (limit(value)?, limit(value)?);
        }
        "TimeoutStartSec" => service.start_timeout = limit(value)?,
        "TimeoutStopSec" => service.stop_timeout = limit(value)?,
        "RuntimeMaxSec" => service.run_limit = limit(value)?,
        "KillMode" => service.kill = kill_mode(value)?,
        "KillSignal" => service.kill_signal = value.parse()?,
        "RestartKillSignal" => service.restart_signal = Some(value.parse()?),
        "SendSIGHUP" => service.hang_up = boolean(value)?,
        "SendSIGKILL" => service.kill_at_last = boolean(value)?,
        // Older units have these here.
        "StartLimitInterval" | "StartLimitBurst" => return set_unit(service, entry, value),
        _ => return set_surroundings(service, entry, value),
    }
    Ok(true)
}

/// Sets what a service's processes are given; false if it is another key.
fn set_surroundings(service: &mut Service, entry: &Entry, value: &str) -> Result<bool, String> {
    match &*entry.key {
        "User" => service.user = named(value),
        "Group" => service.group = named(value),
        "WorkingDirectory" => service.folder = folder(value)?,
        "Environment" if value.is_empty() => service.environment.clear(),
        "Environment" => {
            for word in words::split(value)? {
                let (name, value) =
                    word.split_once('=').ok_or_else(|| format!("{word:?} is no NAME=value"))?;
                service.environment.insert(name.to_owned(), value.to_owned());
            }
        }
        "EnvironmentFile" if value.is_empty() => service.environment_files.clear(),
        "EnvironmentFile" => {
            let path = value.strip_prefix('-').unwrap_or(value);
            if !path.starts_with('/') {
                return Err(format!("{path:?} is no absolute path"));
            }
            service.environment_files.push((path.into(), value.starts_with('-')));
        }
        "UnsetEnvironment" => service.unset.extend(words::split(value)?),
        "UMask" => {
            let mask = u32::from_str_radix(value, 8).ok().filter(|mask| *mask <= 0o777);
            service.umask = mask.ok_or_else(|| format!("{value:?} is no mode in octal"))?;
        }
        "Nice" => {
            let nice = value.parse().ok().filter(|nice| (-20..=19).contains(nice));
            service.nice = Some(nice.ok_or("it is -20 to 19")?);
        }
        "NoNewPrivileges" => service.no_new_privileges = boolean(value)?,
        "StandardOutput" => service.output = output(value)?,
        "StandardError" if value == "inherit" => service.error = service.output,
        "StandardError" => service.error = output(value)?,
        "StandardInput" if value == "null" => {}
        "MemoryMax" | "MemoryLimit" => service.memory_max = bytes(value)?,
        key if key.starts_with("Limit") => {
            let Some(limit) = limit_of(key) else { return Ok(false) };
            let (soft, hard) = value.split_once(':').unwrap_or((value, value));
            service.limits.push((limit, bytes(soft)?, bytes(hard)?));
        }
        _ => return Ok(false),
    }
    Ok(true)
}

fn limit_of(key: &str) -> Option<Limit> {
    Some(match key {
        "LimitCPU" => Limit::Cpu,
        "LimitFSIZE" => Limit::FileSize,
        "LimitDATA" => Limit::Data,
        "LimitSTACK" => Limit::Stack,
        "LimitCORE" => Limit::Core,
        "LimitNOFILE" => Limit::Files,
        "LimitAS" => Limit::Addresses,
        "LimitNPROC" => Limit::Processes,
        "LimitMEMLOCK" => Limit::Locked,
        _ => return None,
    })
}

fn restart(value: &str) -> Result<Restart, String> {
    Ok(match value {
        "no" => Restart::No,
        "always" => Restart::Always,
        "on-success" => Restart::OnSuccess,
        "on-failure" => Restart::OnFailure,
        "on-abnormal" => Restart::OnAbnormal,
        "on-abort" => Restart::OnAbort,
        other => return Err(format!("{other:?} is not known here")),
    })
}

fn kill_mode(value: &str) -> Result<KillMode, String> {
    Ok(match value {
        "control-group" => KillMode::ControlGroup,
        "mixed" => KillMode::Mixed,
        "process" => KillMode::Process,
        other => return Err(format!("{other:?} is not known here")),
    })
}

fn output(value: &str) -> Result<Output, String> {
    match value {
        "null" => Ok(Output::Null),
        "" | "inherit" | "journal" | "syslog" | "kmsg" | "journal+console" | "syslog+console"
        | "kmsg+console" => Ok(Output::Log),
        other => Err(format!("{other:?} is not known here: it is journal, into the log, or null")),
    }
}

fn folder(value: &str) -> Result<Option<Folder>, String> {
    let path = value.strip_prefix('-').unwrap_or(value);
    let may_be_missing = value.starts_with('-');
    match path {
        "" => Ok(None),
        "~" => Ok(Some(Folder { path: None, may_be_missing })),
        path if path.starts_with('/') => {
            Ok(Some(Folder { path: Some(path.into()), may_be_missing }))
        }
        other => Err(format!("{other:?} is no absolute path")),
    }
}

fn named(value: &str) -> Option<String> {
    Some(value.to_owned()).filter(|name| !name.is_empty())
}

/// A time limit, of which 0 is none.
fn limit(value: &str) -> Result<Duration, String> {
    Ok(Some(span::parse(value)?).filter(|span| !span.is_zero()).unwrap_or(span::FOREVER))
}

fn number(value: &str) -> Result<u32, String> {
    value.parse().map_err(|_| format!("{value:?} is no number"))
}

fn boolean(value: &str) -> Result<bool, String> {
    match value.to_ascii_lowercase().as_str() {
        "1" | "yes" | "y" | "true" | "t" | "on" => Ok(true),
        "0" | "no" | "n" | "false" | "f" | "off" => Ok(false),
        _ => Err(format!("{value:?} is neither yes nor no")),
    }
}

/// A number, with K, M, G or T behind it for powers of 1024; `infinity` is no limit.
fn bytes(value: &str) -> Result<Option<u64>, String> {
    if value == "infinity" {
        return Ok(None);
    }
    let end = value.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(value.len());
    let shift = match &value[end..] {
        "" => Some(0),
        "K" => Some(10),
        "M" => Some(20),
        "G" => Some(30),
        "T" => Some(40),
        _ => None,
    };
    let number: Option<u64> = value[..end].parse().ok();
    let found = number.zip(shift).and_then(|(number, shift)| number.checked_mul(1 << shift));
    found.map(Some).ok_or_else(|| format!("{value:?} is no size"))
}

#[cfg(test)]
mod tests;
