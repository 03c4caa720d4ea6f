//! DeleteAlarms: deletes alarms, unless others watch them.

use tidemill_metric::Alarms;
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
    let _alone = service.editing.lock().await;
    service.metrics.look(|state| check(state.alarms(), cx, names))?;
    let keys = names.iter().map(|name| alarm::key(cx, name)).collect();
    service.metrics.delete_alarms(keys).await.map_err(|_| fault::failed())
}

/// At most one of them may be a composite alarm, and none may be watched by one that stays.
fn check(alarms: &Alarms, cx: &Context<'_>, names: &[String]) -> Result<(), Fault> {
    let Some(first) = names.first() else { return Ok(()) };
    let family = Family::of(alarms, &alarm::key(cx, first));
    let stays = |parent: &str| !names.iter().any(|name| name == parent);
    let watched = |name: &&String| family.parents(name).any(stays);
    let watched: Vec<&str> = names.iter().filter(watched).map(String::as_str).collect();
    if !watched.is_empty() {
        let them = if watched.len() == 1 { "it" } else { "them" };
        return Err(fault::validation(format!(
            "Cannot delete {} as there are composite alarm(s) depending on {them}.",
            watched.join(",")
        )));
    }
    let find = |name: &&String| alarms.find(&alarm::key(cx, name));
    let composite = |name: &&String| find(name).is_some_and(|it| it.settings.rule().is_some());
    if names.iter().filter(composite).count() > 1 {
        return Err(fault::validation(
            "At most one composite alarm can be deleted with one operation.",
        ));
    }
    Ok(())
}
