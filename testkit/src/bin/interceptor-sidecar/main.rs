// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A small sidecar: takes what an application's sockets are redirected to, and connects it onward to where it was
//! going.

mod forward;
mod listen;

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use anyhow::Context as _;
use clap::Parser;
use testkit::{
    records::{Listener, Ready},
    write_line,
};
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
    task::JoinSet,
};

use crate::{forward::Forwarder, listen::listen};

/// A small sidecar proxy for redirected TCP connections.
///
/// It listens on Istio's two ports. For each connection it asks the kernel where it was going (`SO_ORIGINAL_DST`) and
/// connects there: outbound connections plainly, inbound ones from 127.0.0.6 (`::6`) so that they are not intercepted
/// again, or from the client's address with a mark. A connection that was not redirected is reset. It writes one line
/// of JSON when it listens, and one per connection.
#[derive(Parser)]
#[command(
    version,
    after_help = "Examples:\n  interceptor-sidecar\n  interceptor-sidecar --bind 0.0.0.0 --bind :: --reuse-port 2\n  \
                  interceptor-sidecar --endpoint 10.96.0.10:80=10.0.0.7:8080"
)]
struct Arguments {
    /// Address to listen on; may be repeated, and `::` is IPv6 only
    #[arg(long, value_name = "IP", default_value = "0.0.0.0")]
    bind: Vec<IpAddr>,
    /// Port for connections that leave the pod
    #[arg(long, value_name = "PORT", default_value_t = 15001)]
    outbound_port: u16,
    /// Port for connections that enter the pod
    #[arg(long, value_name = "PORT", default_value_t = 15006)]
    inbound_port: u16,
    /// Share each port among N listening sockets, and with other processes (`SO_REUSEPORT`)
    #[arg(long, value_name = "N")]
    reuse_port: Option<usize>,
    /// Connect to ENDPOINT what was going to SERVICE, as a mesh does for a service's address
    #[arg(long = "endpoint", value_name = "SERVICE=ENDPOINT", value_parser = endpoint)]
    endpoints: Vec<(SocketAddr, SocketAddr)>,
    /// Connect outbound from this address, where the destination is of its family; may be repeated
    #[arg(long = "source", value_name = "IP")]
    sources: Vec<IpAddr>,
    /// As under TPROXY: connect to the application from the client's address, with this mark (`SO_MARK`)
    #[arg(long, value_name = "MARK")]
    keep_client: Option<u32>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let Arguments { bind, outbound_port, inbound_port, reuse_port, endpoints, sources, keep_client } =
        Arguments::parse();
    let mut terminate = signal(SignalKind::terminate()).context("wait for SIGTERM")?;
    let forwarder = Arc::new(Forwarder::new(endpoints, sources, keep_client));
    let mut tasks = JoinSet::new();
    let mut ready = Vec::new();
    let kinds = [(Listener::Outbound, outbound_port), (Listener::Inbound, inbound_port)];
    for (address, (kind, port)) in bind.iter().flat_map(|address| kinds.map(|kind| (*address, kind))) {
        for _ in 0..reuse_port.unwrap_or(1) {
            let listener = listen(SocketAddr::new(address, port), reuse_port.is_some(), keep_client.is_some())?;
            ready.push(listener.local_addr()?);
            tasks.spawn(accept_all(kind, listener, Arc::clone(&forwarder)));
        }
    }
    write_line(&Ready { ready })?;
    tokio::select! {
        _ = terminate.recv() => Ok(()),
        ended = tasks.join_next() => ended.context("something to listen to")?.context("a listener's task")?,
    }
}

async fn accept_all(kind: Listener, listener: TcpListener, forwarder: Arc<Forwarder>) -> anyhow::Result<()> {
    let port = listener.local_addr().context("ask for the port")?.port();
    loop {
        let (stream, peer) = listener.accept().await.context("accept a connection")?;
        let forwarder = Arc::clone(&forwarder);
        tokio::spawn(async move { forwarder.forward(kind, port, stream, peer).await });
    }
}

fn endpoint(text: &str) -> anyhow::Result<(SocketAddr, SocketAddr)> {
    let (service, endpoint) = text.split_once('=').context("expected SERVICE=ENDPOINT, each IP:PORT")?;
    Ok((
        service.parse().with_context(|| format!("service {service:?}"))?,
        endpoint.parse().with_context(|| format!("endpoint {endpoint:?}"))?,
    ))
}
