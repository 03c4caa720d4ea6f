//! Who may call: the access keys that were made, and whose they are.
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
mod store;

pub use identity::{Identity, RevokeRefusal};
pub use key::{AccessKey, AccessKeyId, BadAccessKeyId, Principal};
pub use mode::{Mode, account_named_by};
pub use store::{IdentityStore, RevokeError};
