// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The socket at which the plugin asks: who may, how many at once, and for how long. A peer that is silent, or sends
//! what cannot be understood, costs nobody else anything.

use std::{os::fd::OwnedFd, path::Path, sync::Arc, time::Duration};

use anyhow::{Context as _, Result};
use interceptor_wire::{Answer, Listener, Received, peer_uid, receive, send_answer, set_nonblocking};
use tokio::{
    io::Interest,
    net::{UnixListener, UnixStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    task::JoinSet,
    time::{sleep, timeout},
};

use crate::{
    answers::{overloaded, refused},
    codes,
    metrics::{Closed, Metrics},
    peer::Peer,
    requests::Requests,
};

/// Requests that wait for an answer.
const REQUESTS: usize = 256;
/// Connections, with those that have not said anything yet.
const CONNECTIONS: usize = 2 * REQUESTS;
/// How long a peer may take to send its request, and to take its answer. The plugin does both at once.
const MESSAGE: Duration = Duration::from_secs(5);
/// How long running requests may take once this process is asked to end.
const LAST_REQUESTS: Duration = Duration::from_secs(5);
/// After an error of `accept()`, such as too many open files.
const PAUSE: Duration = Duration::from_millis(100);

/// The listening socket.
pub(crate) struct Server {
    /// Of packets, though its type says streams: what differs is how it is read, and that `interceptor_wire` does.
    listener: UnixListener,
    connections: Arc<Semaphore>,
    requests: Arc<Semaphore>,
}

impl Server {
    /// Listens at `path` in a directory that nobody else may write to. Another agent's socket is replaced at one
    /// instant.
    pub(crate) fn bind(path: &Path) -> Result<Self> {
        let context = || format!("Failed to listen at {}", path.display());
        let listener = Listener::bind(path).with_context(context)?;
        set_nonblocking(&listener, true).with_context(context)?;
        let listener = UnixListener::from_std(OwnedFd::from(listener).into()).with_context(context)?;
        Ok(Self {
            listener,
            connections: Arc::new(Semaphore::new(CONNECTIONS)),
            requests: Arc::new(Semaphore::new(REQUESTS)),
        })
    }

    /// Answers until `end`. Then it takes no more requests, and completes those that run.
    pub(crate) async fn serve(self, requests: Requests, end: impl Future<Output = ()>) {
        let mut running = JoinSet::new();
        let mut end = std::pin::pin!(end);
        loop {
            let accepted = tokio::select! {
                () = &mut end => break,
                accepted = self.listener.accept() => accepted,
                Some(_ended) = running.join_next() => continue,
            };
            match accepted {
                Ok((socket, _address)) => {
                    if let Some(connection) = self.admit(socket, &requests.metrics) {
                        running.spawn(connection.serve(requests.clone(), Arc::clone(&self.requests)));
                    }
                }
                Err(error) => {
                    tracing::warn!("Failed to accept a connection: {error}");
                    sleep(PAUSE).await;
                }
            }
        }
        drop(self.listener);
        let rest = async { while running.join_next().await.is_some() {} };
        if timeout(LAST_REQUESTS, rest).await.is_err() {
            tracing::warn!("ending although requests run; kubelet repeats them");
        }
    }

    /// Closes the connection if its peer may not ask, or too many have connected.
    fn admit(&self, socket: UnixStream, metrics: &Metrics) -> Option<Connection> {
        match peer_uid(&socket) {
            Ok(0) => {}
            Ok(uid) => {
                metrics.closed(Closed::Foreign);
                tracing::warn!(uid, "closed the connection of a user who is not root");
                return None;
            }
            Err(error) => {
                tracing::warn!("Failed to ask who connected: {error}");
                return None;
            }
        }
        let Ok(place) = Arc::clone(&self.connections).try_acquire_owned() else {
            metrics.closed(Closed::TooMany);
            return None;
        };
        Some(Connection { socket, _place: place })
    }
}

/// One connection, which carries one request.
struct Connection {
    socket: UnixStream,
    _place: OwnedSemaphorePermit,
}

impl Connection {
    async fn serve(self, requests: Requests, places: Arc<Semaphore>) {
        let received = timeout(MESSAGE, self.socket.async_io(Interest::READABLE, || receive(&self.socket))).await;
        let answer = match received {
            Err(_elapsed) => return requests.metrics.closed(Closed::Silent),
            Ok(Err(error)) => return tracing::debug!("a peer went without a request: {error}"),
            Ok(Ok(Err(malformed))) => {
                requests.metrics.closed(Closed::Malformed);
                tracing::warn!("refused a message: {malformed}");
                refused(
                    codes::MALFORMED,
                    format!("The node agent of Interceptor refused the request: {malformed}"),
                )
            }
            Ok(Ok(Ok(received))) => answer(&requests, received, Peer::new(&self.socket), &places).await,
        };
        let sent = timeout(
            MESSAGE,
            self.socket.async_io(Interest::WRITABLE, || send_answer(&self.socket, &answer)),
        );
        match sent.await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::debug!("a peer went before its answer: {error}"),
            Err(_elapsed) => requests.metrics.closed(Closed::Silent),
        }
    }
}

async fn answer(requests: &Requests, received: Received, peer: Peer<'_>, places: &Semaphore) -> Answer {
    match places.try_acquire() {
        Ok(_place) => requests.answer(received, peer).await,
        Err(_none) => {
            requests.metrics.closed(Closed::TooMany);
            overloaded(REQUESTS)
        }
    }
}
