//! The sockets: connections taken, encrypted where asked, served, and ended in good order.

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use tidemill_http::Door;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tracing::{debug, warn};

use crate::app::App;
use crate::crowd::Complaints;
use crate::workers::Workers;

/// How long to rest when no connection can be taken, for want of file descriptors mostly.
const BREATHER: Duration = Duration::from_millis(50);

/// Serves until `stop`, then lets the requests in flight finish, as long as the settings say.
pub(crate) async fn serve(
    door: Arc<Door<App>>,
    workers: &Workers,
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    stop: impl Future<Output = ()>,
) {
    let app = &door.handler;
    let (stopping, stopped) = watch::channel(false);
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
                let stream = stream.into_std();
                let (door, tls, stop) = (Arc::clone(&door), tls.clone(), stopped.clone());
                workers.next().spawn(async move {
                    connection(&door, stream, tls, stop).await;
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
    stopping.send_replace(true);
    drop(stopped);
    let grace = app.settings.shutdown_grace;
    if timeout(grace, stopping.closed()).await.is_err() {
        warn!(?grace, "requests still in flight after the grace period are cut off");
    }
}

async fn connection(
    door: &Door<App>,
    stream: io::Result<std::net::TcpStream>,
    tls: Option<TlsAcceptor>,
    stop: watch::Receiver<bool>,
) {
    let served = async {
        // From here on this thread is told when the socket has something to read.
        let stream = TcpStream::from_std(stream?)?;
        // Answers are small and whole: waiting to fill a packet only adds latency.
        stream.set_nodelay(true)?;
        match tls {
            None => tidemill_http::serve(stream, door, stop).await,
            Some(tls) => {
                let handshake = timeout(door.limits.head_timeout, tls.accept(stream)).await;
                let handshake = handshake.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?;
                // What TLS keeps is large, and a stream is handed on more than once.
                tidemill_http::serve(Box::new(handshake?), door, stop).await
            }
        }
    };
    if let Err(error) = served.await {
        debug!(%error, "a connection ended badly");
    }
}
