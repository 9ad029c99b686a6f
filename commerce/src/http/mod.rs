//! The ports: how connections are taken, and what every call goes through before it meets its
//! handler. What a call means is not known here.
//!
//! TLS ends at a proxy in front. A head that does not come, a body that is too long, an answer that takes
//! too long and more calls than are borne each have a limit, so that no caller stands in the way of
//! the others for longer than these.

mod caller;
mod described;
mod guard;
mod watch;

use std::{net::SocketAddr, pin::pin, sync::Arc, time::Duration};

use axum::{Router, body::Body, http::Request};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    task::JoinSet,
    time::sleep,
};
use tokio_util::sync::CancellationToken;
use tower::Service as _;

pub use caller::Caller;
pub(crate) use described::described;
pub use guard::{Guard, Limits, Refusal, Refuse, plainly};
pub(crate) use watch::{Watch, watched};

/// Bytes of a request's head: a cookie, a key and a long query string several times over.
const HEAD_BYTES_MAX: usize = 16 << 10;

/// How long nobody is taken in after the system could not: it is short of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The address of the other end of a connection.
#[derive(Clone, Copy, Debug)]
struct Peer(SocketAddr);

/// How much a port bears.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PortLimits {
    pub(crate) connections_max: usize,
    pub(crate) header_timeout: Duration,
}

/// Serves until it is told to stop; then nobody is taken in any more, and it ends once the requests that
/// were read are answered. Whoever drops it before cuts them off.
pub(crate) async fn serve(
    listener: TcpListener,
    router: Router,
    limits: PortLimits,
    stop: CancellationToken,
) {
    let places = Arc::new(Semaphore::new(limits.connections_max));
    let mut connections = JoinSet::new();
    loop {
        let taken = tokio::select! {
            () = stop.cancelled() => break,
            taken = take(&listener, &places) => taken,
        };
        // Those that have ended give their memory back.
        while connections.try_join_next().is_some() {}
        match taken {
            Ok((stream, peer, place)) => {
                let router = router.clone();
                let stop = stop.clone();
                connections.spawn(async move {
                    connection(stream, peer, router, limits.header_timeout, stop).await;
                    drop(place);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "no connection can be taken for a moment");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}

async fn take(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> std::io::Result<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    let place = Arc::clone(places).acquire_owned().await;
    let place = place.map_err(std::io::Error::other)?;
    let (stream, peer) = listener.accept().await?;
    Ok((stream, peer, place))
}

async fn connection(
    stream: TcpStream,
    peer: SocketAddr,
    router: Router,
    header_timeout: Duration,
    stop: CancellationToken,
) {
    // Answers are small and written whole; a system that refuses this is only slower.
    stream.set_nodelay(true).ok();
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(Peer(peer));
        let mut router = router.clone();
        async move { router.call(request.map(Body::new)).await }
    });
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(header_timeout)
        .max_buf_size(HEAD_BYTES_MAX);
    let mut connection = pin!(http.serve_connection(TokioIo::new(stream), service));
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection was closed");
    }
}
