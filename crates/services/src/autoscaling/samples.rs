//! What tests begin with.

use tidemill_base::Timestamp;
use tidemill_scaling::group::{Health, InstanceId, Lifecycle, Member, Origin};

/// A member that joined at this time, and is in service since.
pub(super) fn member(at: Timestamp) -> Member {
    Member {
        id: InstanceId::from_u64(1),
        state: Lifecycle::InService,
        since: at,
        activity: None,
        joined: at,
        served: Some(at),
        origin: Origin::Elsewhere,
        kind: String::new(),
        zone: String::new(),
        image: String::new(),
        protected: false,
        health: Health::Healthy,
        replaced: false,
        waits: Vec::new(),
    }
}
