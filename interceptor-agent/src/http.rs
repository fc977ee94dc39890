// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What kubelet and Prometheus ask: `/healthz` and `/readyz` at one port, `/metrics` at another; and connections by
//! HTTP of all kinds. Nothing here changes anything.

use std::{
    collections::VecDeque,
    io,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context as _, Result};
use axum::{
    Router,
    extract::State,
    http::{StatusCode, header},
    response::IntoResponse,
    routing::get,
};
use hyper::server::conn::http1;
use hyper_util::{rt::TokioIo, service::TowerToHyperService};
use prometheus_client::registry::Registry;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, UnixListener},
    task::{AbortHandle, spawn_blocking},
    time::{sleep, timeout},
};

use crate::health::Health;

/// The format of the metrics
/// ([OpenMetrics](https://github.com/prometheus/OpenMetrics/blob/main/specification/OpenMetrics.md)).
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Connections to one port.
const CONNECTIONS: usize = 64;
/// How long a connection may last, with all its requests.
const CONNECTION: Duration = Duration::from_secs(10);
/// After an error of `accept()`, such as too many open files.
const PAUSE: Duration = Duration::from_millis(100);

/// Listens at a port of all addresses; of IPv4 only, where there is no IPv6.
pub(crate) async fn listen(port: u16, flag: &str) -> Result<TcpListener> {
    let all = SocketAddr::from((Ipv6Addr::UNSPECIFIED, port));
    let listener = match TcpListener::bind(all).await {
        Ok(listener) => Ok(listener),
        Err(_no_ipv6) => TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).await,
    };
    listener.with_context(|| format!("Failed to listen at port {port}; name another with {flag}"))
}

/// Serves `/healthz` and `/readyz`, forever.
pub(crate) async fn serve_health(listener: TcpListener, health: Health) {
    let routes = Router::new()
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(ready))
        .with_state(health);
    serve(listener, routes).await;
}

/// Serves `/metrics`, forever.
pub(crate) async fn serve_metrics(listener: TcpListener, registry: Registry) {
    let routes = Router::new().route("/metrics", get(metrics)).with_state(Arc::new(registry));
    serve(listener, routes).await;
}

/// Serves whoever is root, forever.
pub(crate) async fn serve_root(listener: UnixListener, routes: Router) {
    let mut running = Running::default();
    loop {
        match listener.accept().await {
            Ok((stream, _path)) if stream.peer_cred().is_ok_and(|peer| peer.uid() == 0) => {
                running.serve(stream, &routes);
            }
            Ok(_foreign) => tracing::warn!("closed a connection of a peer that is not root"),
            Err(error) => pause(&error).await,
        }
    }
}

async fn serve(listener: TcpListener, routes: Router) {
    let mut running = Running::default();
    loop {
        match listener.accept().await {
            Ok((stream, _peer)) => running.serve(stream, &routes),
            Err(error) => pause(&error).await,
        }
    }
}

async fn pause(error: &io::Error) {
    tracing::warn!("Failed to accept a connection by HTTP: {error}");
    sleep(PAUSE).await;
}

/// Everybody who reaches the node may connect. So a connection has little time, and of many the oldest one gives way:
/// neither silent peers nor a crowd keep kubelet out, or take the descriptors that pods need.
#[derive(Default)]
struct Running(VecDeque<AbortHandle>);

impl Running {
    fn serve(&mut self, stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, routes: &Router) {
        let routes = TowerToHyperService::new(routes.clone());
        let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), routes);
        let served = tokio::spawn(async move {
            match timeout(CONNECTION, connection).await {
                Ok(Ok(())) | Err(_) => {}
                Ok(Err(error)) => tracing::debug!("a connection by HTTP broke: {error}"),
            }
        });
        let Self(running) = self;
        running.retain(|connection| !connection.is_finished());
        running.push_back(served.abort_handle());
        if running.len() > CONNECTIONS
            && let Some(oldest) = running.pop_front()
        {
            oldest.abort();
        }
    }
}

async fn ready(State(health): State<Health>) -> impl IntoResponse {
    let obstacles = health.obstacles();
    if obstacles.is_empty() {
        (StatusCode::OK, "ok\n".to_owned())
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, format!("{}\n", obstacles.join("\n")))
    }
}

async fn metrics(State(registry): State<Arc<Registry>>) -> impl IntoResponse {
    let encoded = spawn_blocking(move || {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry).map(|()| text)
    });
    match encoded.await {
        Ok(Ok(text)) => ([(header::CONTENT_TYPE, OPEN_METRICS)], text).into_response(),
        Ok(Err(_)) | Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}
