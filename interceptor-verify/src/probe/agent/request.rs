// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What the ways of carrying a request out have in common. It opens no socket.

use std::{
    io,
    net::{SocketAddr, SocketAddrV6},
};

use crate::{
    messages::Request,
    probe::{Step, failure},
};
use socket2::SockAddr;

/// What a client sends.
pub(super) const QUESTION: &[u8] = b"who are you\n";

/// The result of setting a socket option.
pub(super) fn set(result: io::Result<()>) -> Step<()> {
    result.map_err(|error| failure("setsockopt", &error))
}

/// The address as the socket's family wants it: IPv4-mapped, if that is what the request asks for.
pub(super) fn in_family(request: &Request, address: SocketAddr) -> SockAddr {
    SockAddr::from(match address {
        SocketAddr::V4(v4) if request.mapped => SocketAddrV6::new(v4.ip().to_ipv6_mapped(), v4.port(), 0, 0).into(),
        address => address,
    })
}
