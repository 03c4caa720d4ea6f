//! What a browser is shown that opens the endpoint: that it is one, and what to do with it.

use http::header::ACCEPT;
use http::{Method, StatusCode};
use tidemill_http::{Answer, Request};
use tidemill_services::BaseUrl;

use crate::app::App;
use crate::host;

/// Whether a request is a person's who looks: whoever calls an API does not ask for HTML.
pub(crate) fn is_for(request: &Request<'_>) -> bool {
    let accept = request.headers.text(ACCEPT);
    matches!(*request.method, Method::GET | Method::HEAD)
        && request.path == "/"
        && request.query.is_none()
        && accept.is_some_and(|accept| accept.contains("text/html"))
}

/// The page.
pub(crate) fn page(app: &App, request: &Request<'_>) -> Answer {
    let BaseUrl { scheme, host } = host::base_url(app, request.headers);
    // What a client says of itself does not become markup.
    let host: String = host.chars().filter(|it| !matches!(it, '<' | '>' | '&' | '"')).collect();
    let version = env!("CARGO_PKG_VERSION");
    let text = format!(
        r#"<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Tidemill</title>
<style>
body {{ font: 1rem/1.5 system-ui, sans-serif; max-width: 40rem; margin: 3rem auto; }}
</style>
<h1>Tidemill {version}</h1>
<p>This is an endpoint for clients of Amazon SQS. Point any AWS SDK or the AWS CLI at it:</p>
<pre>export AWS_ENDPOINT_URL={scheme}://{host}
aws sqs list-queues</pre>
<p>How it does: <a href="/health">health</a>, <a href="/metrics">metrics</a>.
How it is run: <code>tidemill serve --help</code>, and <code>docs/operating.md</code> of its
source.</p>
</html>
"#
    );
    Answer::new(StatusCode::OK, "text/html; charset=utf-8", text)
}
