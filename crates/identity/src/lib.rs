//! Who may call: the access keys that were made, whose they are, and the temporary keys of those
//! who act in a role.
//!
//! Floor 2. An engine like the others: its state is the fold of its records, and it speaks in
//! domain words. Names of resources, error codes and permissions belong to the floors above.
//!
//! [`Identity`] is the state, without I/O or a clock; [`IdentityStore`] keeps it in a journal.

mod encoding;
mod identity;
mod key;
mod mode;
mod record;
mod session;
mod store;

pub use identity::{Identity, RevokeRefusal};
pub use key::{AccessKey, AccessKeyId, BadAccessKeyId, Principal};
pub use mode::{Mode, account_named_by};
pub use session::{BadToken, Session, SessionKey, unique_id};
pub use store::{IdentityStore, RevokeError};
