//! Instances as our own commands ask for them: `POST /_tidemill/instances`, `/_tidemill/logs` and
//! `/_tidemill/drain`; and what the programs of an instance are told of the service.
//!
//! EC2 has nothing for these, which is why they have paths of their own. The first, asked with
//! `{"Region": …}`, answers `{"Instances": […]}`. The second, asked with `{"Instance": …, "After":
//! …, "Since": …, "Boot": …, "Last": …, "Programs": …, "Region": …}`, answers with `Lines`; with
//! `Next`, the `After` of what comes then; and with `End`, what `Next` is once all is told that is
//! there by now. The third, asked with `{"Instance": …, "Draining": …, "Region": …}`, answers with
//! `Held`, how many messages the instance has.

use std::sync::{Arc, OnceLock};

use serde::Deserialize;
use serde_json::{Value, json};
use tidemill_base::{Region, Timestamp};
use tidemill_fleet::process::{Cursor, Line, Wanted};
use tidemill_fleet::{Environment, Fleet, Instance, InstanceId, Owner};
use tidemill_services::{Principal, holder_of};

use crate::app::App;
use crate::control::{Refused, bad, internal};
use crate::metadata::{ENDPOINT, Metadata};
use crate::overview::Holding;
use crate::roles::Roles;

/// Most lines of one answer.
const LINES: usize = 5000;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct AskedList {
    region: Option<String>,
}

impl AskedList {
    pub(crate) fn region(&self) -> Option<&str> {
        self.region.as_deref()
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct AskedDrain {
    instance: String,
    draining: bool,
    region: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct AskedLines {
    instance: String,
    after: Option<(u64, u64)>,
    since: Option<u64>,
    boot: Option<u32>,
    last: Option<usize>,
    #[serde(default)]
    programs: bool,
    region: Option<String>,
}

pub(crate) fn owner(principal: &Principal, region: Option<&str>) -> Result<Owner, String> {
    let region: Result<Region, _> = region.unwrap_or(Region::DEFAULT).parse();
    let region = region.map_err(|error| error.to_string())?;
    Ok(Owner { account: principal.account(), region })
}

fn fleet(app: &App) -> Result<&Fleet, String> {
    app.fleet.as_ref().ok_or_else(|| "instances are turned off (--instances)".to_owned())
}

/// The instances of whoever asks; an error is a sentence for a person.
pub(crate) fn list(app: &App, principal: &Principal, asked: &AskedList) -> Result<Value, String> {
    let (fleet, owner) = (fleet(app)?, owner(principal, asked.region.as_deref())?);
    let found: Vec<Instance> = fleet.look(|state| state.instances_of(&owner).cloned().collect());
    let holding = Holding::now(&app.engine);
    let told = |one: &Instance| told(fleet, one, &holding);
    let told = found.iter().map(told).collect::<Vec<_>>();
    Ok(json!({ "Instances": told, "Now": fleet.now().as_millis() }))
}

fn told(fleet: &Fleet, instance: &Instance, holding: &Holding) -> Value {
    let status = fleet.status(instance.id).unwrap_or_default();
    let units = status.units.iter().map(|unit| {
        json!({
            "Name": unit.name,
            "State": unit.state,
            "Pid": unit.pid,
            "Restarts": unit.restarts,
            "Ended": unit.ended,
        })
    });
    json!({
        "InstanceId": instance.id.to_string(),
        "Name": instance.tags.get("Name"),
        "State": instance.phase.word(),
        "Boot": instance.boot,
        "InstanceType": instance.recipe.kind,
        "Launched": instance.launched.as_millis(),
        "Units": units.collect::<Vec<_>>(),
        "Processes": status.processes,
        "Memory": status.memory,
        "Held": holding.count(instance.id),
        "Draining": holding.is_draining(instance.id),
        "Failure": status.failure,
    })
}

/// Gives an instance no more messages, or again some; an error is a sentence for a person.
pub(crate) fn drain(app: &App, principal: &Principal, asked: &AskedDrain) -> Result<Value, String> {
    let (fleet, owner) = (fleet(app)?, owner(principal, asked.region.as_deref())?);
    let (id, _) = find(fleet, &owner, &asked.instance)?;
    let holder = holder_of(id).ok_or("this instance cannot be told from others")?;
    app.engine.drain(holder, asked.draining);
    Ok(json!({ "InstanceId": id.to_string(), "Held": app.engine.held(holder) }))
}

/// What an instance printed.
pub(crate) async fn lines(
    app: &App,
    principal: &Principal,
    asked: AskedLines,
) -> Result<Value, Refused> {
    let fleet = fleet(app).map_err(bad)?.clone();
    let owner = owner(principal, asked.region.as_deref()).map_err(bad)?;
    let (id, last) = find(&fleet, &owner, &asked.instance).map_err(bad)?;
    let (file, offset) = asked.after.unwrap_or_default();
    let wanted = Wanted {
        since: asked.since.map(Timestamp::from_millis),
        // The last start, whichever that is.
        boot: asked.boot.map(|boot| if boot == 0 { last } else { boot }),
        programs: asked.programs,
    };
    let read = move || {
        let end = fleet.log_end(id)?;
        let read = match asked.last {
            Some(most) => fleet.last_lines(id, wanted, most.min(LINES)),
            None => fleet.lines(id, Cursor { file, offset }, wanted, LINES),
        };
        read.map(|(lines, next)| (lines, next, end))
    };
    let read = tokio::task::spawn_blocking(read).await.map_err(internal)?;
    let (lines, next, end) = read.map_err(internal)?;
    let told = |line: &Line| {
        json!({
            "At": line.at.as_millis(),
            "Boot": line.boot,
            "Stream": line.stream.word(),
            "GoesOn": line.goes_on,
            "Unit": line.unit,
            "Text": String::from_utf8_lossy(&line.text),
        })
    };
    let told = lines.iter().map(told).collect::<Vec<_>>();
    Ok(json!({
        "InstanceId": id.to_string(),
        "Lines": told,
        "Next": [next.file, next.offset],
        "End": [end.file, end.offset],
    }))
}

/// The instance that is meant, by its id or its name, and its last start.
fn find(fleet: &Fleet, owner: &Owner, name: &str) -> Result<(InstanceId, u32), String> {
    let id = name.parse::<InstanceId>().ok();
    let meant = |instance: &&Instance| {
        Some(instance.id) == id || instance.tags.get("Name").is_some_and(|tag| tag == name)
    };
    let found: Vec<(InstanceId, u32)> = fleet.look(|state| {
        state.instances_of(owner).filter(meant).map(|one| (one.id, one.boot)).collect()
    });
    match &found[..] {
        [one] => Ok(*one),
        [] => Err(format!("there is no instance {name} in {}", owner.region)),
        several => {
            let ids: Vec<String> = several.iter().map(|(id, _)| id.to_string()).collect();
            Err(format!("several instances are called {name}: name one of {}", ids.join(", ")))
        }
    }
}

/// What the programs of an instance are told: among it where to ask for keys, if it acts in a role.
/// Where they cannot, and the service is `open`, any key will do: one that names their account.
pub(crate) fn environment(
    endpoint: Arc<OnceLock<String>>,
    metadata: Arc<Metadata>,
    roles: Arc<Roles>,
    open: bool,
) -> Environment {
    Box::new(move |instance| {
        let region = instance.owner.region.as_str();
        let mut told = vec![
            ("AWS_REGION", region.to_owned()),
            ("AWS_DEFAULT_REGION", region.to_owned()),
            ("TIDEMILL_INSTANCE_ID", instance.id.to_string()),
        ];
        told.extend(endpoint.get().map(|endpoint| ("AWS_ENDPOINT_URL", endpoint.clone())));
        let door = metadata.address(instance.id);
        let keys = door.as_ref().and_then(|door| roles.told(instance, door));
        told.extend(door.map(|door| (ENDPOINT, door)));
        if let Some(keys) = keys {
            told.extend(keys);
        } else if open {
            told.push(("AWS_ACCESS_KEY_ID", instance.owner.account.to_string()));
            told.push(("AWS_SECRET_ACCESS_KEY", "open".to_owned()));
        }
        told.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    })
}
