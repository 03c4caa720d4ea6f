//! JSON, both ways. Requests are read by a pull parser of our own: serde's would want a type or a
//! tree for each value, and here the schema decides only when a key has been read.

mod lexer;
mod read;
mod write;

#[cfg(test)]
mod tests;

pub(crate) use read::JsonDecoder;
pub(crate) use write::{JsonEncoder, push_string};
