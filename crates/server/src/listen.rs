//! The sockets: connections taken, encrypted where asked, served, and ended in good order.

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tracing::{debug, warn};

use crate::app::App;
use crate::crowd::Complaints;
use crate::patient::Patient;
use crate::workers::Workers;

/// How long to rest when no connection can be taken, for want of file descriptors mostly.
const BREATHER: Duration = Duration::from_millis(50);

/// Serves until `stop`, then lets the requests in flight finish, as long as the settings say.
pub(crate) async fn serve(
    app: Arc<App>,
    workers: &Workers,
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    stop: impl Future<Output = ()>,
) {
    let graceful = GracefulShutdown::new();
    let mut complaints = Complaints::new(&app.clock);
    tokio::pin!(stop);
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = &mut stop => break,
        };
        match accepted {
            Ok((stream, _)) => {
                let Some(place) = app.crowd.admit() else {
                    complaints.crowded();
                    // Who speaks TLS could not read it.
                    if let (None, Some(farewell)) = (&tls, app.crowd.refuse(stream)) {
                        workers.next().spawn(farewell);
                    }
                    continue;
                };
                let connection = connection(
                    Arc::clone(&app),
                    stream.into_std(),
                    tls.clone(),
                    graceful.watcher(),
                );
                workers.next().spawn(async move {
                    connection.await;
                    drop(place);
                });
            }
            Err(error) => {
                complaints.failed(&error);
                sleep(BREATHER).await;
            }
        }
    }
    drop(listener);
    // Long polls are answered now, empty, instead of holding everybody up.
    app.engine.end_waiting();
    let grace = app.settings.shutdown_grace;
    if timeout(grace, graceful.shutdown()).await.is_err() {
        warn!(?grace, "requests still in flight after the grace period are cut off");
    }
}

async fn connection(
    app: Arc<App>,
    stream: io::Result<std::net::TcpStream>,
    tls: Option<TlsAcceptor>,
    watcher: Watcher,
) {
    let served = async {
        // From here on this thread is told when the socket has something to read.
        let stream = TcpStream::from_std(stream?)?;
        // Answers are small and whole: waiting to fill a packet only adds latency.
        stream.set_nodelay(true)?;
        match tls {
            None => speak(app, stream, watcher).await,
            Some(tls) => {
                let handshake = timeout(app.settings.header_timeout, tls.accept(stream)).await;
                let handshake = handshake.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?;
                speak(app, handshake?, watcher).await
            }
        }
    };
    if let Err(error) = served.await {
        debug!(%error, "a connection ended badly");
    }
}

async fn speak(
    app: Arc<App>,
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    watcher: Watcher,
) -> io::Result<()> {
    let (patience, buffer) = (app.settings.header_timeout, app.settings.max_headers.as_usize());
    let stream = Patient::new(stream, app.settings.write_timeout);
    let service = service_fn(move |request| Arc::clone(&app).answer(request));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(patience)
        .max_buf_size(buffer)
        .serve_connection(TokioIo::new(stream), service);
    watcher.watch(connection).await.map_err(io::Error::other)
}
