// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The DNS server that a UDP socket asks by way of the agent, as it is kept with the socket. This file only reads;
//! `dns_agent.rs` and `hooks/dns.rs` write.

use interceptor_policy::{Address, AskedServer, Destination, Protocol};

use crate::{maps::DNS_SERVERS, pod::Pod, socket::Socket};

impl Pod<'_> {
    /// Whether this is where the agent is asked: `127.0.0.1` or `::1`, no other loopback address, and its port.
    #[inline(always)]
    pub(crate) fn is_agent(self, address: Address, port: u16) -> bool {
        port == self.policy.dns_port && address.same(address.loopback())
    }
}

/// The server that a connected socket asks, if `peer` and `port` are the agent's.
#[inline(always)]
pub(crate) fn server_behind(pod: Pod<'_>, socket: Socket, peer: Address, port: u16) -> Option<AskedServer> {
    if pod.is_agent(peer, port) && Protocol::from_number(socket.protocol()) == Protocol::Udp {
        DNS_SERVERS.get(socket)
    } else {
        None
    }
}

/// The server that a socket has asked by way of the agent, if it ever did.
#[inline(always)]
pub(crate) fn first_asked(socket: Socket) -> Option<Destination> {
    DNS_SERVERS.get(socket).map(|asked| asked.server)
}

/// Whether a socket asks from loopback only because it has a port of its own, and no address.
#[inline(always)]
pub(crate) fn source_is_pod(socket: Socket) -> bool {
    DNS_SERVERS.get(socket).is_some_and(|asked| asked.source_is_pod == 1)
}
