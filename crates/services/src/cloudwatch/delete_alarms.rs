//! DeleteAlarms: deletes alarms, unless others watch them.

use std::collections::BTreeSet;

use tidemill_metric::{AlarmKey, Alarms};
use tidemill_wire::Fault;

use super::composite::Family;
use super::{CloudWatch, alarm, fault};
use crate::context::Context;

/// Deletes alarms, all or none. A name that is none is passed over.
pub(super) async fn handle(
    service: &CloudWatch,
    cx: &Context<'_>,
    names: &[String],
) -> Result<(), Fault> {
    service.may_change()?;
    let keys: BTreeSet<AlarmKey> = names.iter().map(|name| alarm::key(cx, name)).collect();
    service.to_the_end(|service| delete(service, keys)).await
}

async fn delete(service: CloudWatch, keys: BTreeSet<AlarmKey>) -> Result<(), Fault> {
    let _alone = service.alone().await;
    service.metrics.look(|state| check(state.alarms(), &keys))?;
    service.metrics.delete_alarms(keys.into_iter().collect()).await.map_err(|_| fault::failed())
}

/// At most one of them may be a composite alarm, and none may be watched by one that stays. They
/// are of one account and region.
fn check(alarms: &Alarms, keys: &BTreeSet<AlarmKey>) -> Result<(), Fault> {
    let Some(first) = keys.first() else { return Ok(()) };
    let family = Family::of(alarms, first);
    let names: BTreeSet<&str> = keys.iter().map(|key| &*key.name).collect();
    let stays = |parent: &&str| !names.contains(parent);
    let is_watched = |name: &&str| family.parents(name).iter().any(stays);
    let watched: Vec<&str> = names.iter().copied().filter(is_watched).collect();
    if !watched.is_empty() {
        let them = if watched.len() == 1 { "it" } else { "them" };
        return Err(fault::validation(format!(
            "Cannot delete {} as there are composite alarm(s) depending on {them}.",
            watched.join(",")
        )));
    }
    let is_composite =
        |key: &&AlarmKey| alarms.find(key).is_some_and(|it| it.settings.rule().is_some());
    if keys.iter().filter(is_composite).count() > 1 {
        return Err(fault::validation(
            "At most one composite alarm can be deleted with one operation.",
        ));
    }
    Ok(())
}
