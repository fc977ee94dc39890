// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What the sidecar and the probes write: one JSON object per line.

use std::{collections::BTreeMap, net::SocketAddr, time::Duration};

use serde::{Deserialize, Serialize};

/// Which of the sidecar's two ports took a connection.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Listener {
    Outbound,
    Inbound,
}

/// One connection, as the sidecar saw it.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct Connection {
    pub listener: Listener,
    /// getpeername
    pub peer: SocketAddr,
    /// getsockname
    pub local: SocketAddr,
    /// `SO_ORIGINAL_DST`
    pub original_destination: Option<SocketAddr>,
    /// getsockname of the connection onward, if there is one.
    pub upstream_local: Option<SocketAddr>,
    /// Why there is no connection onward; the connection is then reset.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
}

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

/// What `interceptor-probe connect --count` found.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
pub struct Tally {
    /// How many connections succeeded, and were answered where an answer was waited for.
    pub succeeded: usize,
    /// How many failed, by `step:errno`.
    pub failed: BTreeMap<String, usize>,
}

impl Tally {
    /// How a connection ends with the process that had accepted it, or in whose queue it was. That can be before its
    /// client has asked whether `connect()` succeeded, and is not to be confused with a refusal: who has been
    /// established is reset, and told `EPIPE` if the other end's FIN came before
    /// ([`tcp_reset`](https://github.com/torvalds/linux/blob/v6.12/net/ipv4/tcp_input.c)).
    pub const BROKEN_OFF: [&str; 6] = [
        "connect:ECONNRESET",
        "connect:EPIPE",
        "receive:ECONNRESET",
        "receive:EOF",
        "send:ECONNRESET",
        "send:EPIPE",
    ];
}

impl Greeting {
    /// Panics when it is something else.
    pub fn from_line(line: &str) -> Self {
        serde_json::from_str(line).unwrap_or_else(|error| panic!("not a greeting: {line:?}: {error}"))
    }
}

/// What `interceptor-probe pair transfer`, `stream` and `churn` brought over, and compared.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct Transferred {
    pub connections: u64,
    /// Over all directions.
    pub bytes: u64,
}

/// What `interceptor-probe pair stall` found.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct Stalled {
    /// How many bytes were taken of the client, and of the server, before they were stopped.
    pub queued: [u64; 2],
}

/// What `interceptor-probe pair behavior` saw: by name, one line for each system call.
pub type Behaviors = BTreeMap<String, Vec<String>>;

impl Report {
    /// The errno's name at `connect`, or nothing when it succeeded.
    pub fn connect_error(&self) -> Option<&str> {
        self.error
            .as_ref()
            .filter(|failure| failure.step == "connect")
            .map(|failure| failure.errno.as_str())
    }

    /// The server's view. Panics when no server answered.
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

/// What came of a message to a Unix socket.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Knocked {
    pub connected: bool,
    /// Nothing, if the connection was closed.
    pub answer: String,
    /// The system call's error, if one ended it.
    pub error: Option<String>,
}
