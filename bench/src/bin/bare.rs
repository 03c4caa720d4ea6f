//! The floor to measure against: a hyper server that reads each request's body and answers 200.
//!
//! The answer has as many bytes as the path's last number says (`/375`), so that both sides of
//! a comparison write as much.

use std::convert::Infallible;

use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

static FILLING: [u8; 1 << 20] = [b'x'; 1 << 20];

async fn answer(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let bytes = request.uri().path().trim_start_matches('/').parse().unwrap_or(0);
    // A body that broke off ends its connection by itself.
    let _ = request.into_body().collect().await;
    let body = Bytes::from_static(&FILLING[..FILLING.len().min(bytes)]);
    Ok(Response::new(Full::new(body)))
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("{}", listener.local_addr()?);
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        tokio::spawn(
            http1::Builder::new().serve_connection(TokioIo::new(stream), service_fn(answer)),
        );
    }
}
