//! RemovePermission.

use std::sync::Arc;

use tidemill_api::sqs::RemovePermissionRequest;
use tidemill_queue::SettingsChange;
use tidemill_wire::Fault;

use crate::context::Context;

use super::{Sqs, fault, policy};

pub(super) async fn handle(
    sqs: &Sqs,
    cx: &Context<'_>,
    request: &RemovePermissionRequest,
) -> Result<(), Fault> {
    let (id, _) = sqs.queue(cx, &request.queue_url)?;
    if request.label.is_empty() {
        return Err(fault::missing_parameter("Label"));
    }
    let _alone = sqs.editing.lock().await;
    let settings = sqs.settings(id)?;
    let left = policy::revoke(settings.policy.as_deref(), &request.label)?;
    let change = SettingsChange { policy: Some(left.map(Arc::from)), ..Default::default() };
    sqs.engine.configure(id, change).await.map_err(|it| fault::of(it, ""))
}
