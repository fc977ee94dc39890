// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What the probes are asked for and what they write: one JSON object per line.

use std::{net::SocketAddr, time::Duration};

use anyhow::Context as _;
use serde::{Deserialize, Serialize};

/// First line of the sidecar and of `interceptor-probe serve`: every socket listens.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct Ready {
    pub ready: Vec<SocketAddr>,
}

/// What `interceptor-probe serve` tells its client, and writes.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct Greeting {
    pub name: String,
    pub uid: u32,
    pub local: SocketAddr,
    pub peer: SocketAddr,
    pub original_destination: Option<SocketAddr>,
    /// `SO_ORIGINAL_DST` at the levels `SOL_IP` and `SOL_IPV6`: an address, or the errno.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub levels: Vec<String>,
}

/// What `interceptor-probe connect` found.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
pub struct Report {
    /// getsockname, after connect
    pub local: Option<SocketAddr>,
    /// getpeername
    pub peer: Option<SocketAddr>,
    /// `SO_ORIGINAL_DST`, by the family of the connection
    pub original_destination: Option<SocketAddr>,
    /// `SO_ORIGINAL_DST` at the levels `SOL_IP` and `SOL_IPV6`: an address, or the errno.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub levels: Vec<String>,
    /// First line received
    pub received: Option<String>,
    /// Datagrams received, by a probe that may get several
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub answers: Vec<Answer>,
    /// What went wrong, if anything
    pub error: Option<Failure>,
}

/// A datagram that a probe was answered with.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct Answer {
    /// From where, as `recvfrom()` says.
    pub from: SocketAddr,
    pub received: String,
}

/// What `interceptor-probe agent` is asked for: one connection, or datagrams and their answers.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct Request {
    /// Who makes the socket.
    pub maker: Credentials,
    /// Who connects it.
    pub user: Credentials,
    pub how: How,
    /// An `AF_INET6` socket, also for IPv4 addresses, which it dials in their `::ffff:` form.
    pub mapped: bool,
    /// `SO_MARK`
    pub mark: Option<u32>,
    /// `SO_BINDTODEVICE`
    pub device: Option<String>,
    /// `IP_BIND_ADDRESS_NO_PORT`: the kernel chooses the port when the socket is connected, not when it is bound.
    pub late_port: bool,
    /// Bind to an address that is not the pod's (`IP_TRANSPARENT`).
    pub transparent: bool,
    pub bind: Option<SocketAddr>,
    /// The socket is connected here first, whatever comes of it, and then disconnected.
    pub before: Option<SocketAddr>,
    /// A UDP socket is connected here first, and from there to its destination.
    pub first: Option<SocketAddr>,
    pub to: SocketAddr,
    /// Whom a UDP socket asks as well, at once.
    pub also: Vec<SocketAddr>,
    /// How long each call may take. A longer one fails with `ETIMEDOUT`.
    pub limit: Duration,
}

/// The calls that a client makes.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum How {
    Tcp,
    /// `connect()` that returns at once.
    Nonblocking,
    /// `connect()` that returns at once, again and again until it says that the socket is connected.
    Polled,
    /// `IORING_OP_CONNECT`
    Uring,
    Mptcp,
    /// `sendto(MSG_FASTOPEN)`
    FastOpen,
    /// `TCP_FASTOPEN_CONNECT`
    FastOpenConnect,
    /// UDP with `connect()`
    Udp,
    /// UDP with `sendto()`
    Sendto,
}

impl How {
    pub const fn is_udp(self) -> bool {
        matches!(self, Self::Udp | Self::Sendto)
    }
}

/// A user, its group and its supplementary groups.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Credentials {
    pub uid: u32,
    pub gid: u32,
    pub groups: Vec<u32>,
}

/// A system call that failed.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct Failure {
    /// `socket`, `bind`, `connect`, `send`, `receive`
    pub step: String,
    /// `ECONNREFUSED` and the like
    pub errno: String,
}

impl Greeting {
    pub fn read(line: &str) -> anyhow::Result<Self> {
        serde_json::from_str(line).with_context(|| format!("not a greeting: {line:?}"))
    }

    /// For tests: panics when it is something else.
    pub fn from_line(line: &str) -> Self {
        Self::read(line).unwrap_or_else(|error| panic!("{error:#}"))
    }
}

impl Report {
    /// The errno's name at `connect`, or nothing when it succeeded.
    pub fn connect_error(&self) -> Option<&str> {
        self.error
            .as_ref()
            .filter(|failure| failure.step == "connect")
            .map(|failure| failure.errno.as_str())
    }

    /// The server's view, for tests. Panics when no server answered.
    pub fn greeting(&self) -> Greeting {
        Greeting::from_line(
            self.received
                .as_deref()
                .unwrap_or_else(|| panic!("no server answered: {self:?}")),
        )
    }

    /// Whether the server that answered sees the client's own address: nobody stands between them.
    pub fn is_direct(&self) -> bool {
        self.local.map(canonical) == Some(self.greeting().peer)
    }
}

/// `[::ffff:10.0.0.1]:80` is `10.0.0.1:80`.
pub fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}
