// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What everyone saw of a flow, made comparable: ports that the kernel chose are left out.

use std::net::{IpAddr, SocketAddr};

use super::flow::Flow;
use crate::records::{Report, canonical};

/// The name of the server on the sidecar's outbound port.
pub(super) const OUTBOUND: &str = "outbound";
/// The name of the server on the sidecar's inbound port.
pub(super) const INBOUND: &str = "inbound";

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Seen {
    /// `connect:ECONNREFUSED` and the like.
    pub(super) error: Option<String>,
    /// The client's getsockname; without its port, if the kernel chose that.
    client: Option<String>,
    /// The client's getpeername.
    client_peer: Option<SocketAddr>,
    /// Who answered.
    pub(super) server: Option<String>,
    /// The server's getsockname.
    server_local: Option<SocketAddr>,
    /// The server's getpeername, without its port.
    server_peer: Option<IpAddr>,
    /// Whether the server sees the very port that the client has.
    same_port: Option<bool>,
    /// `SO_ORIGINAL_DST`, as the sidecar saw it, if it is not what getsockname says anyway.
    original_destination: Option<SocketAddr>,
}

impl Seen {
    pub(super) fn new(flow: &Flow, report: &Report) -> Self {
        let mut seen = Self {
            error: report.error.as_ref().map(|failure| format!("{}:{}", failure.step, failure.errno)),
            client: report.local.map(|local| if flow.bind_port { local.to_string() } else { local.ip().to_string() }),
            client_peer: report.peer,
            ..Self::default()
        };
        if report.received.is_some() {
            let greeting = report.greeting();
            let sidecar = [OUTBOUND, INBOUND].contains(&greeting.name.as_str());
            seen.same_port = report.local.map(|local| local.port() == greeting.peer.port());
            seen.server_peer = Some(canonical(greeting.peer).ip());
            seen.server_local = Some(canonical(greeting.local));
            seen.original_destination =
                greeting.original_destination.map(canonical).filter(|original| sidecar && *original != canonical(greeting.local));
            seen.server = Some(greeting.name);
        }
        seen
    }
}
