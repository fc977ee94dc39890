// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What the sidecar and the probes write: one JSON object per line.

use std::{collections::BTreeMap, net::SocketAddr};

pub use interceptor_verify::messages::*;
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

/// What came of a message to a Unix socket.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Knocked {
    pub connected: bool,
    /// Nothing, if the connection was closed.
    pub answer: String,
    /// The system call's error, if one ended it.
    pub error: Option<String>,
}
