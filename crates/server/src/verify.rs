//! Who sent a request: verified by its signature, unless the service is open.

use std::time::Duration;

use http::header::{AUTHORIZATION, ORIGIN};
use tidemill_identity::account_named_by;
use tidemill_services::Principal;
use tidemill_sign::{Credential, Presented, Rejection, Request, Window};
use tidemill_wire::{Call, Fault, Protocol, fault};

use crate::app::App;

/// The services that run programs.
const LAUNCHING: [&str; 2] = ["ec2", "autoscaling"];

/// Finds out who signed `request`; `claimed` is who says so.
pub(crate) fn principal(
    app: &App,
    call: &Call,
    request: &Request<'_>,
    claimed: Option<&Credential>,
) -> Result<Principal, Fault> {
    if !app.identity.has_credentials() {
        if LAUNCHING.contains(&call.service.name) && may_be_a_page(request) {
            let message = "sign the request, with any key: what runs programs is not for browsers";
            return Err(Fault::new(&fault::MISSING_TOKEN, message));
        }
        return Ok(anyone(app, claimed));
    }
    let service = Some(call.service.signing_name);
    match signer(app, request, service, skew(call.protocol)) {
        Ok(principal) => Ok(principal),
        Err(Unverified::Unsigned) => {
            Err(Fault::new(&fault::MISSING_TOKEN, "Request is missing Authentication Token"))
        }
        Err(Unverified::UnknownKey) => Err(Fault::new(
            &fault::UNKNOWN_KEY,
            "The security token included in the request is invalid.",
        )),
        Err(Unverified::Rejected(rejection)) => Err(refusal(&rejection)),
    }
}

/// Whether a page in a browser may have sent a request by itself, to a service on the machine of
/// whoever looks at it: such a page can send a form, or have a picture fetched, with a name and a
/// password in its URL even, but it cannot sign in a header without asking first, and where it
/// sends it says where it comes from.
fn may_be_a_page(request: &Request<'_>) -> bool {
    let signs = request.headers.text(AUTHORIZATION).is_some_and(|it| it.starts_with("AWS4-"));
    !signs || request.headers.get(ORIGIN).is_some()
}

/// Why nobody can be said to have signed a request.
enum Unverified {
    Unsigned,
    UnknownKey,
    Rejected(Rejection),
}

/// Who signed `request`, for `service` if one is asked for.
fn signer(
    app: &App,
    request: &Request<'_>,
    service: Option<&str>,
    skew: Duration,
) -> Result<Principal, Unverified> {
    let presented = Presented::of(request).map_err(Unverified::Rejected)?;
    let presented = presented.ok_or(Unverified::Unsigned)?;
    let key = app.identity.find(presented.credential().key_id());
    // Our keys are permanent ones: a token cannot belong to them.
    let key = key.filter(|_| presented.session_token().is_none()).ok_or(Unverified::UnknownKey)?;
    let window = Window { now: app.clock.now(), skew };
    service
        .map_or(Ok(()), |service| presented.check_service(service))
        .and_then(|()| tidemill_sign::verify(&presented, request, &key.secret, window, &app.keys))
        .map_err(Unverified::Rejected)?;
    Ok(Principal::Root(key.account))
}

fn skew(protocol: Protocol) -> Duration {
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
        return Ok(anyone(app, Credential::claimed(request).as_ref()));
    }
    signer(app, request, None, Window::QUERY_SKEW).map_err(|unverified| match unverified {
        Unverified::Unsigned => "sign the request with a key that `tidemill init` made".to_owned(),
        Unverified::UnknownKey => {
            "unknown access key: sign with one that `tidemill init` made".to_owned()
        }
        Unverified::Rejected(rejection) => rejection.to_string(),
    })
}

/// Whoever calls an open service, in the account that the key names, or in that of all others.
fn anyone(app: &App, claimed: Option<&Credential>) -> Principal {
    let account = claimed.and_then(|credential| account_named_by(credential.key_id()));
    Principal::Anyone(account.unwrap_or(app.settings.account))
}
