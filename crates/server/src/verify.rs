//! Who sent a request: verified by its signature, unless the service is open.

use std::time::Duration;

use http::header::{AUTHORIZATION, ORIGIN};
use tidemill_identity::{SessionKey, account_named_by};
use tidemill_services::{Principal, RoleSession};
use tidemill_sign::{Credential, Presented, Rejection, Request, Window};
use tidemill_wire::{Call, Fault, Protocol, fault};

use crate::app::App;
use crate::host;

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
        host::check(app, request.headers).map_err(|why| Fault::new(&fault::ACCESS_DENIED, why))?;
        if LAUNCHING.contains(&call.service.name) && may_be_a_page(request) {
            let message = "sign the request, with any key: what runs programs is not for browsers";
            return Err(Fault::new(&fault::MISSING_TOKEN, message));
        }
        return Ok(anyone(app, request, claimed));
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
        Err(Unverified::Expired) => {
            let message = "The security token included in the request is expired";
            Err(Fault::new(&fault::EXPIRED_TOKEN, message))
        }
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
    /// The time of its session is over.
    Expired,
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
    let key_id = presented.credential().key_id();
    let window = Window { now: app.clock.now(), skew };
    // A key without a token is a permanent one, and one with it never.
    let (principal, secret) = match presented.session_token() {
        None => {
            let key = app.identity.find(key_id).ok_or(Unverified::UnknownKey)?;
            (Principal::Root(key.account), key.secret)
        }
        Some(token) => {
            let key = app.identity.session(key_id, token).map_err(|_| Unverified::UnknownKey)?;
            if key.session.expires <= window.now {
                return Err(Unverified::Expired);
            }
            (role(&key, true), key.secret)
        }
    };
    service
        .map_or(Ok(()), |service| presented.check_service(service))
        .and_then(|()| tidemill_sign::verify(&presented, request, &secret, window, &app.keys))
        .map_err(Unverified::Rejected)?;
    Ok(principal)
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
        host::check(app, request.headers)?;
        return Ok(anyone(app, request, Credential::claimed(request).as_ref()));
    }
    let signed = signer(app, request, None, Window::QUERY_SKEW);
    if matches!(signed, Ok(Principal::Role(_))) {
        return Err("sign with a key that `tidemill init` made: not for roles".to_owned());
    }
    signed.map_err(|unverified| match unverified {
        Unverified::Unsigned => "sign the request with a key that `tidemill init` made".to_owned(),
        Unverified::UnknownKey | Unverified::Expired => {
            "unknown access key: sign with one that `tidemill init` made".to_owned()
        }
        Unverified::Rejected(rejection) => rejection.to_string(),
    })
}

/// Whoever calls an open service: an instance that shows the token it was given, and otherwise
/// anybody, in the account that the key names, or in that of all others.
fn anyone(app: &App, request: &Request<'_>, claimed: Option<&Credential>) -> Principal {
    if let Some(key) = claimed.and_then(|claimed| shown(app, request, claimed)) {
        return role(&key, false);
    }
    let account = claimed.and_then(|credential| account_named_by(credential.key_id()));
    Principal::Anyone(account.unwrap_or(app.settings.account))
}

/// The session whose token an unverified request shows. Its time does not matter: nothing that an
/// open service asks for does.
fn shown(app: &App, request: &Request<'_>, claimed: &Credential) -> Option<SessionKey> {
    // Nobody else's journey has to carry this.
    if !claimed.key_id().starts_with("ASIA") {
        return None;
    }
    let presented = Presented::of(request).ok()??;
    app.identity.session(claimed.key_id(), presented.session_token()?).ok()
}

/// Somebody who acts in a role.
fn role(key: &SessionKey, is_verified: bool) -> Principal {
    let session = &key.session;
    Principal::Role(Box::new(RoleSession {
        account: session.account,
        role: session.role.clone(),
        role_id: session.role_id(),
        name: session.name.clone(),
        is_verified,
    }))
}
