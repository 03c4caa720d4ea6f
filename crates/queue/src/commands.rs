//! What the machine can be asked to do: a command a file, with its checks, its records and its
//! reply.

mod carry;
mod change_visibility;
mod create;
mod delete;
mod drop_messages;
mod forget;
mod found;
mod give_back;
mod lapse;
mod moves;
mod purge;
mod relocate;
mod remove;
mod send;
mod settings;
mod take;

pub(crate) use carry::CarryExhausted;
pub(crate) use change_visibility::ChangeVisibility;
pub(crate) use create::Create;
pub use create::Created;
pub(crate) use delete::Delete;
pub(crate) use drop_messages::{DropLost, DropOld, Dropped};
pub(crate) use forget::Forget;
pub(crate) use found::Found;
pub(crate) use give_back::GiveBack;
pub(crate) use lapse::Lapse;
pub(crate) use moves::{BeginMove, EndMove, Redrive, Redriving};
pub(crate) use purge::Purge;
pub(crate) use relocate::Relocate;
pub(crate) use remove::Remove;
pub(crate) use send::{Send, Sending};
pub(crate) use settings::{Configure, Tag};
pub(crate) use take::{Take, Taken};
