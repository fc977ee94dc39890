// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Connections: how many there are, how long they last, and how they end. Everybody who reaches the port may connect,
//! so a crowd of silent peers is not to keep the API server out.
//!
//! A connection of HTTP/2 to a replica whose node died looks alive to the API server until TCP gives up. Pings and the
//! largest age are for the other direction: a server that is gone leaves no connection here.

use std::{collections::VecDeque, io, net::IpAddr, pin::pin, sync::Arc, time::Duration};

use axum::{Extension, Router};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto::Builder,
    service::TowerToHyperService,
};
use rustls::ServerConfig;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::{oneshot, watch},
    task::JoinHandle,
    time::{sleep, timeout},
};
use tokio_rustls::TlsAcceptor;

use super::fairness::{Peer, gives_way};

/// Connections to one port. Of more, the oldest one of the peer that has the most is asked to end.
const MOST: usize = 256;
/// How long a handshake of TLS may take, and the head of a request of HTTP/1.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// After this age, a connection is asked to end. The API server makes another one then, perhaps to another replica.
const OLDEST: Duration = Duration::from_mins(10);
/// How long a connection that is asked to end may take for the requests that it has.
const DRAIN: Duration = Duration::from_secs(10);
/// HTTP/2: between two pings, and until a ping has to be answered.
const PING: (Duration, Duration) = (Duration::from_secs(20), Duration::from_secs(10));
/// HTTP/2: requests at a time.
const STREAMS: u32 = 64;
/// HTTP/2: bytes that a peer may send before they are read, of a request and of all.
const WINDOWS: (u32, u32) = (64 << 10, 256 << 10);
/// Bytes of the head of a request.
const HEAD: u32 = 16 << 10;
/// After an error of `accept()`, such as too many open files.
const PAUSE: Duration = Duration::from_millis(100);

/// Becomes true when everything is to end.
pub(crate) type End = watch::Receiver<bool>;

/// What is served at a port.
pub(crate) struct Connections {
    pub(crate) routes: Router,
    /// Without it, connections are plain.
    pub(crate) tls: Option<Arc<ServerConfig>>,
}

/// A connection that runs.
struct Running {
    peer: IpAddr,
    leave: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Connections {
    /// Serves until the end. Requests that have come in are answered before this returns.
    pub(crate) async fn serve(&self, listener: TcpListener, mut end: End) {
        let mut running: Vec<Running> = Vec::new();
        let mut leaving = VecDeque::new();
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                _ended = end.wait_for(|ended| *ended) => break,
            };
            match accepted {
                Ok((stream, address)) => {
                    let peer = address.ip().to_canonical();
                    let (leave, left) = oneshot::channel();
                    let routes = self.routes.clone().layer(Extension(Peer(peer)));
                    let task = tokio::spawn(connection(stream, self.tls.clone(), routes, left));
                    running.retain(|running| !running.task.is_finished());
                    running.push(Running { peer, leave, task });
                }
                Err(error) => {
                    tracing::warn!("Failed to accept a connection: {error}");
                    sleep(PAUSE).await;
                }
            }
            if running.len() > MOST
                && let Some(index) = gives_way(running.iter().map(|running| running.peer))
            {
                let Running { peer: _, leave, task } = running.remove(index);
                drop(leave);
                leaving.retain(|task: &JoinHandle<()>| !task.is_finished());
                leaving.push_back(task);
                // They may be slow to leave, but not without a bound.
                if leaving.len() > MOST
                    && let Some(oldest) = leaving.pop_front()
                {
                    oldest.abort();
                }
            }
        }
        drop(listener);
        for Running { peer: _, leave, task } in running {
            drop(leave);
            leaving.push_back(task);
        }
        for task in leaving {
            // It ends within a bounded time. An error is its panic, which has been logged.
            let _ended = task.await;
        }
    }
}

async fn connection(
    stream: TcpStream,
    tls: Option<Arc<ServerConfig>>,
    routes: Router,
    mut left: oneshot::Receiver<()>,
) {
    // An answer is more than one segment. Without this, the last one waits up to 40 ms for the peer's delayed
    // acknowledgment.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!("Failed to set TCP_NODELAY: {error}");
    }
    let Some(tls) = tls else {
        return talk(stream, None, routes, left).await;
    };
    let handshake = timeout(HANDSHAKE, TlsAcceptor::from(tls).accept(stream));
    let stream = tokio::select! {
        stream = handshake => stream.unwrap_or_else(|_late| Err(io::ErrorKind::TimedOut.into())),
        _leave = &mut left => return,
    };
    match stream {
        Ok(stream) => {
            let is_2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
            talk(stream, Some(is_2), routes, left).await;
        }
        Err(error) => tracing::debug!("a handshake of TLS failed: {error}"),
    }
}

/// Speaks HTTP: version 2 or not, as the handshake said, or version 1 if there was none.
async fn talk<S: AsyncRead + AsyncWrite + Unpin + 'static>(
    stream: S,
    is_2: Option<bool>,
    routes: Router,
    left: oneshot::Receiver<()>,
) {
    let mut builder = match is_2 {
        Some(true) => Builder::new(TokioExecutor::new()).http2_only(),
        Some(false) | None => Builder::new(TokioExecutor::new()).http1_only(),
    };
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HANDSHAKE);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(PING.0)
        .keep_alive_timeout(PING.1)
        .max_concurrent_streams(STREAMS)
        .initial_stream_window_size(WINDOWS.0)
        .initial_connection_window_size(WINDOWS.1)
        .max_header_list_size(HEAD);
    let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), TowerToHyperService::new(routes)));
    let done = tokio::select! {
        done = connection.as_mut() => Some(done),
        _leave = left => None,
        () = sleep(OLDEST) => None,
    };
    let done = if let Some(done) = done {
        done
    } else {
        connection.as_mut().graceful_shutdown();
        timeout(DRAIN, connection).await.unwrap_or(Ok(()))
    };
    if let Err(error) = done {
        tracing::debug!("a connection broke: {error}");
    }
}
