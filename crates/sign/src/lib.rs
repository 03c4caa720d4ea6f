//! AWS Signature Version 4, from the server's side: who says they sent a request, and is it true.
//!
//! Floor 1. [`Presented::of`] reads what a request claims and needs no secret; [`verify`] checks
//! the claim against one. [`sign_request`] is the client's half, over the same canonical form, so
//! that our own commands talk to any endpoint. Nothing here does I/O, knows an API, or decides how
//! a rejection reads on the wire: a [`Rejection`] carries facts.
//!
//! The form is the one of every AWS service but S3: a path is normalised and encoded once more.

mod canonical;
mod credential;
mod keys;
mod presented;
mod rejection;
mod request;
mod secret;
mod sign;
mod stamp;
mod verify;

pub use credential::Credential;
pub use keys::KeyCache;
pub use presented::{Form, Presented};
pub use rejection::{Missing, MissingParts, Rejection, Unequal};
pub use request::{Payload, Request};
pub use secret::Secret;
pub use sign::{Signer, Unsignable, sign_request};
pub use verify::{Window, verify};
