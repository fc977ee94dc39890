// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What client and server are told, as JSON on their standard input.

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};

use serde::{Deserialize, Serialize};

/// What both ends are told.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Task {
    pub work: Work,
    /// The processor of the application.
    pub client_cpu: usize,
    /// The processor of the sidecar's stand-in.
    pub server_cpu: usize,
}

/// What the application does; the stand-in does its part of it. Each connection is made to the next of the
/// destinations.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Work {
    /// One connection, of which the stand-in says where it was going.
    WhereTo { to: SocketAddrV4 },
    /// `connect()` and nothing else: the stand-in sleeps and clears the queue afterward.
    Connect { to: Destinations, count: usize },
    /// `connect()`, a request of `size` bytes, a response of as many, and the stand-in closes, as a server that does
    /// not keep connections alive.
    Request { to: Destinations, count: usize, size: usize },
    /// The same at times fixed beforehand, `per_second` on average and at random, whether or not the last request has
    /// been answered. Each time counts from when the request was due.
    Load { to: Destinations, count: usize, size: usize, per_second: f64, seed: u64 },
    /// Messages of `size` bytes to and fro on one connection.
    RoundTrips { to: Peer, count: usize, size: usize },
    /// `count` writes of `size` bytes on one connection, read as they come, and one byte in return. The time is that
    /// of all of it.
    Bulk { to: Peer, count: usize, size: usize },
    /// Connections that are all held open, until [`Work::CloseAll`]; from the address `from`, or the one that the
    /// kernel chooses. The time is that of making all of them.
    ManyOpen { from: Option<Ipv4Addr>, to: Destinations, count: usize },
    /// Gets pages by HTTP/1.1 from whatever serves there, over one connection or over one each; the stand-in has no
    /// part in it.
    Pages { to: SocketAddrV4, count: usize, keep_alive: bool },
    /// The same by `clients` at once, each with `count` pages. The durations are those of all of them.
    Crowd { to: SocketAddrV4, clients: usize, count: usize, keep_alive: bool },
    /// Closes the connections that are held open.
    CloseAll,
}

/// What one connection leads to.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub enum Peer {
    /// A server, by TCP.
    Server(SocketAddrV4),
    /// The stand-in, by a UNIX socket: what two processes can do without a network.
    Unix,
}

/// `count` addresses from `first` on, all with the same port.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Destinations {
    pub first: SocketAddrV4,
    pub count: u32,
}

impl Destinations {
    pub const fn one(to: SocketAddrV4) -> Self {
        Self { first: to, count: 1 }
    }

    /// The destination of the `index`-th connection.
    #[expect(clippy::cast_possible_truncation, reason = "the remainder is below a u32")]
    pub fn nth(&self, index: usize) -> SocketAddr {
        let offset = (index % self.count as usize) as u32;
        SocketAddr::from((Ipv4Addr::from(u32::from(*self.first.ip()) + offset), self.first.port()))
    }
}

/// What one end measured in a task.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Sample {
    /// One duration for each thing that was timed, in the order in which they happened.
    pub nanoseconds: Vec<u64>,
    /// From the first thing that was timed to the end of the last, where several happen at once; else 0.
    pub whole_ns: u64,
    /// What the process used of its processor, in its own code and in the kernel's on its behalf.
    pub cpu_ns: u64,
    /// Connections that could not be made.
    pub failed: usize,
    /// What `SO_ORIGINAL_DST` said of the connection.
    pub original: Option<SocketAddr>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn destinations_are_taken_in_turn() {
        let to = Destinations { first: SocketAddrV4::new(Ipv4Addr::new(10, 50, 0, 255), 80), count: 2 };
        let taken: Vec<String> = (0..3).map(|index| to.nth(index).to_string()).collect();
        assert_eq!(taken, ["10.50.0.255:80", "10.50.1.0:80", "10.50.0.255:80"]);
    }
}
