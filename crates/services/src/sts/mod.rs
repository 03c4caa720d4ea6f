//! STS: who is asking.

use tidemill_api::sts::{GetCallerIdentityResponse, Request, Response};
use tidemill_wire::{Fault, fault};

use crate::context::Context;

/// Answers one request.
pub fn handle(cx: &Context<'_>, request: &Request) -> Result<Response, Fault> {
    match request {
        Request::GetCallerIdentity(_) => Ok(Response::GetCallerIdentity(caller_identity(cx))),
        Request::AssumeRole(_)
        | Request::DecodeAuthorizationMessage(_)
        | Request::GetAccessKeyInfo(_)
        | Request::GetSessionToken(_) => Err(Fault::new(
            &fault::INVALID_ACTION,
            "Tidemill has root keys, and roles of instances: there are no other roles, sessions or \
             policies yet.",
        )),
    }
}

fn caller_identity(cx: &Context<'_>) -> GetCallerIdentityResponse {
    GetCallerIdentityResponse {
        // A root's is its account's.
        user_id: Some(cx.principal.user_id()),
        account: Some(cx.account().to_string()),
        arn: Some(cx.principal.to_string()),
    }
}
