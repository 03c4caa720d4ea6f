//! Who sent a request: verified by its signature, unless the service is open.

use tidemill_base::AccountId;
use tidemill_identity::account_named_by;
use tidemill_services::Principal;
use tidemill_sign::{Credential, Presented, Rejection, Request, Window};
use tidemill_wire::{Call, Fault, Protocol, fault};

use crate::app::App;

/// Finds out who signed `request`; `claimed` is who says so.
pub(crate) fn principal(
    app: &App,
    call: &Call,
    request: &Request<'_>,
    claimed: Option<&Credential>,
) -> Result<Principal, Fault> {
    if !app.identity.has_credentials() {
        return Ok(anyone(claimed));
    }
    let presented = Presented::of(request).map_err(|rejection| refusal(&rejection))?;
    let Some(presented) = presented else {
        return Err(Fault::new(&fault::MISSING_TOKEN, "Request is missing Authentication Token"));
    };
    let unknown = || {
        Fault::new(&fault::UNKNOWN_KEY, "The security token included in the request is invalid.")
    };
    let key = app.identity.find(presented.credential().key_id()).ok_or_else(unknown)?;
    // Our keys are permanent ones: a token cannot belong to them.
    if presented.session_token().is_some() {
        return Err(unknown());
    }
    let window = Window { now: app.clock.now(), skew: skew(call.protocol) };
    presented
        .check_service(call.service.signing_name)
        .and_then(|()| tidemill_sign::verify(&presented, request, &key.secret, window, &app.keys))
        .map_err(|rejection| refusal(&rejection))?;
    Ok(Principal::Root(key.account))
}

fn skew(protocol: Protocol) -> std::time::Duration {
    match protocol {
        Protocol::Query | Protocol::QueryJson | Protocol::Ec2Query => Window::QUERY_SKEW,
        Protocol::AwsJson10 | Protocol::AwsJson11 | Protocol::RestJson | Protocol::RpcV2Cbor => {
            Window::JSON_SKEW
        }
    }
}

/// What a rejected signature is called on the wire.
fn refusal(rejection: &Rejection) -> Fault {
    use Rejection as R;
    let error = match rejection {
        R::Unequal(_)
        | R::Expired { .. }
        | R::NotYetCurrent { .. }
        | R::DateMismatch { .. }
        | R::UnsignedHeader { .. }
        | R::WrongService { .. }
        | R::InvalidRegion { .. }
        | R::WrongTerminator { .. }
        | R::WrongPayloadHash => &fault::BAD_SIGNATURE,
        R::UnsupportedAlgorithm { .. }
        | R::SignedTwice
        | R::MalformedHeader { .. }
        | R::MalformedCredential { .. }
        | R::MalformedDate { .. }
        | R::Incomplete(_)
        | R::InvalidExpiry { .. }
        | R::UnsupportedPayload { .. } => &fault::INCOMPLETE_SIGNATURE,
    };
    Fault::new(error, rejection.to_string())
}

/// Who sends a request to one of our own paths: anybody while the service is open, and afterwards
/// whoever signs with a key of ours. An error is a sentence for a person.
pub(crate) fn controller(app: &App, request: &Request<'_>) -> Result<Principal, String> {
    if !app.identity.has_credentials() {
        return Ok(anyone(Credential::claimed(request).as_ref()));
    }
    let presented = Presented::of(request).map_err(|rejection| rejection.to_string())?;
    let presented = presented.ok_or("sign the request with a key that `tidemill init` made")?;
    let key = app.identity.find(presented.credential().key_id());
    let key = key.ok_or("unknown access key: sign with one that `tidemill init` made")?;
    let window = Window { now: app.clock.now(), skew: Window::QUERY_SKEW };
    tidemill_sign::verify(&presented, request, &key.secret, window, &app.keys)
        .map_err(|rejection| rejection.to_string())?;
    Ok(Principal::Root(key.account))
}

/// Whoever calls an open service, in the account that the key names.
fn anyone(claimed: Option<&Credential>) -> Principal {
    let account = claimed.map(|credential| account_named_by(credential.key_id()));
    Principal::Anyone(account.unwrap_or(AccountId::DEFAULT))
}
