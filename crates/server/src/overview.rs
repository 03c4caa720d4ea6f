//! What `tidemill top` shows: `POST /_tidemill/top` with `{"Region": …}` answers with the queues,
//! the groups and the instances of whoever asks, as they are now. Rates are for the asker to make
//! of two answers.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use tidemill_base::Timestamp;
use tidemill_fleet::process::Wanted;
use tidemill_fleet::{Fleet, Instance, InstanceId, Phase};
use tidemill_queue::{Engine, Holder, QueueMetrics};
use tidemill_scaling::group::{Counts, Group, GroupKey};
use tidemill_services::{Principal, holder_of};

use crate::app::App;
use crate::instances::{AskedList, owner};

/// Most characters of a line that an instance printed.
const LINE: usize = 200;

/// An error is a sentence for a person.
pub(crate) async fn look(
    app: &App,
    principal: &Principal,
    asked: &AskedList,
) -> Result<Value, String> {
    let owner = owner(principal, asked.region())?;
    let metrics = app.engine.metrics();
    let own = metrics
        .queues
        .iter()
        .filter(|one| one.key.account == owner.account && one.key.region == owner.region);
    let now = app.clock.now();
    let mut queues: Vec<Value> = own.map(|queue| of_queue(queue, now)).collect();
    queues.sort_by_key(|queue| queue["Name"].as_str().map(str::to_owned));
    let groups: Vec<Value> = app
        .groups
        .look(|state| state.groups_of(owner.account, &owner.region).map(of_group).collect());
    let instances = match &app.fleet {
        None => Vec::new(),
        Some(fleet) => {
            let found: Vec<Instance> =
                fleet.look(|state| state.instances_of(&owner).cloned().collect());
            let lines = last_lines(fleet, &found).await?;
            let holding = Holding::now(&app.engine);
            let told = |one| of_instance(one, &holding, lines.get(&one.id));
            found.iter().map(told).collect()
        }
    };
    Ok(json!({
        "Now": now.as_millis(),
        "Queues": queues,
        "Groups": groups,
        "Instances": instances,
    }))
}

fn of_queue(queue: &QueueMetrics, now: Timestamp) -> Value {
    let QueueMetrics { counts, tally, .. } = queue;
    json!({
        "Name": queue.key.name.as_str(),
        "Visible": counts.visible,
        "InFlight": counts.in_flight,
        "Delayed": counts.delayed,
        "OldestSeconds": counts.oldest.map(|oldest| now.since(oldest).as_secs()),
        "Receivers": queue.waiting_receivers,
        "Sent": tally.sent,
        "Received": tally.received,
        "Deleted": tally.deleted,
    })
}

fn of_group((key, group): (&GroupKey, &Group)) -> Value {
    let Counts { min, max, desired, in_service, pending, standby, terminating } = group.counts();
    json!({
        "Name": key.name,
        "Min": min.count(),
        "Desired": desired.count(),
        "Max": max.count(),
        "InService": in_service.count(),
        "Pending": pending.count(),
        "Standby": standby.count(),
        "Terminating": terminating.count(),
    })
}

fn of_instance(instance: &Instance, holding: &Holding, line: Option<&String>) -> Value {
    json!({
        "InstanceId": instance.id.to_string(),
        "Name": instance.tags.get("Name"),
        "Group": instance.tags.get("aws:autoscaling:groupName"),
        "State": instance.phase.word(),
        "Launched": instance.launched.as_millis(),
        "Held": holding.count(instance.id),
        "Draining": holding.is_draining(instance.id),
        "LastLine": line,
    })
}

/// What the queues know of instances.
pub(crate) struct Holding {
    held: BTreeMap<Holder, usize>,
    draining: BTreeSet<Holder>,
}

impl Holding {
    pub(crate) fn now(queues: &Engine) -> Self {
        Self { held: queues.holders(), draining: queues.draining() }
    }

    /// How many messages an instance has in flight.
    pub(crate) fn count(&self, id: InstanceId) -> usize {
        holder_of(id).and_then(|holder| self.held.get(&holder)).copied().unwrap_or_default()
    }

    /// Whether it is given no more.
    pub(crate) fn is_draining(&self, id: InstanceId) -> bool {
        holder_of(id).is_some_and(|holder| self.draining.contains(&holder))
    }
}

/// What each instance's programs printed last, if they did.
async fn last_lines(
    fleet: &Fleet,
    instances: &[Instance],
) -> Result<BTreeMap<InstanceId, String>, String> {
    let there = |one: &&Instance| one.phase != Phase::Terminated;
    let ids: Vec<InstanceId> = instances.iter().filter(there).map(|one| one.id).collect();
    let fleet = fleet.clone();
    let wanted = Wanted { since: None, boot: None, programs: true };
    let read = move || {
        // One whose log cannot be read is shown without it.
        let last = |id| fleet.last_lines(id, wanted, 1).ok()?.0.pop();
        let text = |id| {
            let line = String::from_utf8_lossy(&last(id)?.text).into_owned();
            Some((id, line.chars().take(LINE).collect()))
        };
        ids.into_iter().filter_map(text).collect()
    };
    tokio::task::spawn_blocking(read).await.map_err(|error| error.to_string())
}
