// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Ports of all addresses.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use anyhow::{Context as _, Result};
use tokio::net::TcpListener;

/// Listens at a port of all addresses; of IPv4 only, where there is no IPv6.
pub(crate) async fn listen(port: u16, flag: &str) -> Result<TcpListener> {
    let all = SocketAddr::from((Ipv6Addr::UNSPECIFIED, port));
    let listener = match TcpListener::bind(all).await {
        Ok(listener) => Ok(listener),
        Err(_no_ipv6) => TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).await,
    };
    listener.with_context(|| format!("Failed to listen at port {port}; name another with {flag}"))
}
