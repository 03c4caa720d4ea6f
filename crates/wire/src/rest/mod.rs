//! REST-JSON: the members of an operation's input and output that stand in the path, the query
//! string, the headers, the status, or are the body; JSON has the rest.

mod read;
mod uri;
mod write;

pub(crate) use read::RestDecoder;
pub(crate) use uri::fits;
pub(crate) use write::RestEncoder;
