//! The protocols that AWS clients speak, each written once against schemas.
//!
//! Floor 1. Five protocols carry every API: AWS JSON, Query, EC2 Query, REST-JSON and RPC-v2-CBOR.
//! No service is named here; what a service is comes in as a [`schema::Service`], made at build
//! time from `models/`. A request goes through in four steps:
//!
//! 1. [`plain_body`] undoes the content encoding,
//! 2. [`identify`] says which operation of which service it calls, in which protocol,
//! 3. [`read`] takes the typed input from it, and checks the model's constraints,
//! 4. [`write()`] makes the answer of the typed output, [`encode_fault`] that of a refusal.
//!
//! ```
//! use http::{HeaderMap, Method};
//! use tidemill_wire::{Head, Protocol, encode_fault, identify};
//!
//! let headers = HeaderMap::new();
//! let query = Some("Action=Fly");
//! let head = Head { method: &Method::GET, path: "/", query, headers: (&headers).into() };
//! let refusal = identify(&[], &head, b"", None).unwrap_err();
//! assert_eq!(refusal.protocol, Protocol::Query);
//! let reply = encode_fault(refusal.protocol, refusal.service, &refusal.fault, "some-id");
//! assert_eq!(reply.status, 400);
//! assert!(reply.body.starts_with(b"<?xml version=\"1.0\"?><ErrorResponse><Error>"));
//! ```

mod call;
mod cbor;
pub mod constraint;
pub mod decode;
pub mod encode;
pub mod fault;
mod form;
mod identify;
mod json;
mod protocol;
mod rest;
pub mod schema;
mod secret;
mod text;
mod xml;

pub use bytes::Bytes;
pub use call::{Call, Head, Reply, plain_body, read, write};
pub use decode::{Decode, Decoder, Map};
pub use encode::{Encode, Encoder};
pub use fault::{ErrorShape, Fault, encode_fault};
pub use identify::{Unidentified, identify};
pub use protocol::Protocol;
pub use schema::{Operation, Service};
pub use secret::Secret;
