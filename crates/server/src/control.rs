//! Our own paths: health, metrics, and what tests and tools need under `/_tidemill/`.

use http::header::{ALLOW, HOST};
use http::{Method, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};
use tidemill_base::Timestamp;
use tidemill_http::{Answer, Request};
use tracing::info;

use crate::app::App;
use crate::data::SHARD;
use crate::{failure, faults, instances, journey, overview, peek, verify};

const JSON: &str = "application/json";

/// As far as a clock may be moved: times have four digits for the year.
const LATEST: Timestamp = Timestamp::from_millis(253_402_300_799_999);

/// What is under `/_tidemill/`.
const PATHS: [&str; 8] = [
    "/_tidemill/clock",
    "/_tidemill/reset",
    "/_tidemill/peek",
    "/_tidemill/faults",
    "/_tidemill/instances",
    "/_tidemill/logs",
    "/_tidemill/drain",
    "/_tidemill/top",
];

/// Answers with `answer` whoever only looks, and nobody else.
pub(crate) fn looked_at(request: &Request<'_>, answer: impl FnOnce() -> Answer) -> Answer {
    if matches!(*request.method, Method::GET | Method::HEAD) {
        return answer();
    }
    let message = json!({ "message": format!("GET {}", request.path) }).to_string();
    let mut refusal = Answer::new(StatusCode::METHOD_NOT_ALLOWED, JSON, message);
    refusal.headers.insert(ALLOW, "GET, HEAD");
    refusal
}

/// `GET /health`: 200 while everything is served, 503 with the reason when it is not.
pub(crate) fn health(app: &App) -> Answer {
    let failed = app.logs.failure();
    let (status, word) = match &failed {
        None => (StatusCode::OK, "ok"),
        Some(failure) => (StatusCode::SERVICE_UNAVAILABLE, failure::word(failure)),
    };
    let health = json!({
        "status": word,
        "reason": failed.map(|failure| failure.to_string()),
        "version": env!("CARGO_PKG_VERSION"),
        "open": !app.identity.has_credentials(),
        "sync": app.settings.sync.to_string(),
    });
    Answer::new(status, JSON, health.to_string())
}

/// `GET /metrics`, for Prometheus.
pub(crate) fn metrics(app: &App) -> Answer {
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    Answer::new(StatusCode::OK, kind, app.metrics.text())
}

/// A refusal of one of our own paths.
pub(crate) struct Refused(StatusCode, String);

/// Anything under `/_tidemill/`.
pub(crate) async fn answer(app: &App, request: &Request<'_>) -> Answer {
    match control(app, request).await {
        Ok(value) => {
            let body = app.budget.keep(value.to_string().into());
            Answer::new(StatusCode::OK, JSON, body)
        }
        Err(Refused(status, message)) => {
            let mut answer = Answer::new(status, JSON, json!({ "message": message }).to_string());
            if status == StatusCode::METHOD_NOT_ALLOWED {
                answer.headers.insert(ALLOW, "POST");
            }
            answer
        }
    }
}

async fn control(app: &App, request: &Request<'_>) -> Result<Value, Refused> {
    let path = request.path;
    if !PATHS.contains(&path) {
        return Err(Refused(StatusCode::NOT_FOUND, format!("there is nothing at {path}")));
    }
    if *request.method != Method::POST {
        return Err(Refused(StatusCode::METHOD_NOT_ALLOWED, format!("POST to {path}")));
    }
    // A page in a browser may not drive us by a form or a script of its own: it cannot choose
    // the content type without asking first, and it always says where it comes from.
    if request.headers.get("origin").is_some() && request.headers.get(HOST).is_some() {
        return Err(Refused(StatusCode::FORBIDDEN, "not for browsers".to_owned()));
    }
    let body = request.body.map_err(|untaken| {
        let fault = journey::refusal(app, untaken);
        Refused(fault.error.status, fault.message.into_owned())
    })?;
    let signed = tidemill_sign::Request {
        method: request.method,
        path,
        query: request.query.unwrap_or_default(),
        headers: request.headers,
        payload: tidemill_sign::Payload::Body(body),
    };
    let principal = verify::controller(app, &signed);
    let principal = principal.map_err(|why| Refused(StatusCode::FORBIDDEN, why))?;
    match path {
        "/_tidemill/clock" => clock(app, body).await,
        "/_tidemill/reset" => reset(app).await,
        "/_tidemill/faults" => faults(app, request.query, body),
        "/_tidemill/instances" => instances::list(app, &principal, &parse(body)?).map_err(bad),
        "/_tidemill/drain" => instances::drain(app, &principal, &parse(body)?).map_err(bad),
        "/_tidemill/top" => overview::look(app, &principal, &parse(body)?).await.map_err(bad),
        "/_tidemill/logs" => instances::lines(app, &principal, parse(body)?).await,
        _ => {
            let asked = parse(body)?;
            peek::peek(app, &principal, &asked).map_err(bad)
        }
    }
}

/// The caller's mistake.
#[expect(clippy::needless_pass_by_value, reason = "for `map_err`")]
pub(crate) fn bad(why: impl ToString) -> Refused {
    Refused(StatusCode::BAD_REQUEST, why.to_string())
}

/// Ours, or the disk's.
#[expect(clippy::needless_pass_by_value, reason = "for `map_err`")]
pub(crate) fn internal(why: impl ToString) -> Refused {
    Refused(StatusCode::INTERNAL_SERVER_ERROR, why.to_string())
}

fn parse<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, Refused> {
    serde_json::from_slice(body).map_err(bad)
}

/// `POST /_tidemill/clock {"advance": "15m"}`: moves a manual clock.
async fn clock(app: &App, body: &[u8]) -> Result<Value, Refused> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Move {
        advance: String,
    }
    let Move { advance } = parse(body)?;
    let span = humantime::parse_duration(&advance).map_err(bad)?;
    let why = "the clock is the machine's: start the service with --clock manual";
    if app.clock.now() + span > LATEST {
        return Err(bad("the clock goes as far as the year 9999"));
    }
    let now = app.clock.advance(span);
    let now = now.ok_or_else(|| Refused(StatusCode::CONFLICT, why.to_owned()))?;
    // Whoever moved the clock finds done what each minute in between brought.
    app.minutes.caught_up().await;
    Ok(json!({ "now": now.as_millis() }))
}

/// `POST /_tidemill/faults`: a disk that fails, under the log of the queues or another one.
fn faults(app: &App, query: Option<&str>, body: &[u8]) -> Result<Value, Refused> {
    let Some(disks) = &app.disks else {
        let why = "start the service with --allow-faults to make its disk fail";
        return Err(Refused(StatusCode::FORBIDDEN, why.to_owned()));
    };
    let log = query.map_or(Ok(SHARD), |query| {
        query.strip_prefix("log=").ok_or_else(|| bad(format!("not {query}: log=NAME")))
    })?;
    let faults = disks.of(log).ok_or_else(|| bad(format!("there is no log {log}")))?;
    faults::plan(faults, parse(body)?);
    Ok(json!({}))
}

/// `POST /_tidemill/reset`: an empty service.
async fn reset(app: &App) -> Result<Value, Refused> {
    if !app.settings.allow_reset {
        let why = "start the service with --allow-reset to empty it";
        return Err(Refused(StatusCode::FORBIDDEN, why.to_owned()));
    }
    // Before their instances, or they would be replaced.
    app.groups.clear().await.map_err(internal)?;
    // The programs first, and until they are gone: they would fill again what is emptied before.
    if let Some(fleet) = &app.fleet {
        fleet.clear().await.map_err(internal)?;
        fleet.until_swept().await;
    }
    app.logs.topics.clear().await.map_err(internal)?;
    app.engine.clear().await.map_err(internal)?;
    app.measured.clear().await.map_err(internal)?;
    info!("emptied by request");
    Ok(json!({}))
}
