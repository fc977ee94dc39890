// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Listening sockets.

use std::{io, net::SocketAddr};

use anyhow::Context as _;
use socket2::{Domain, SockRef, Socket, Type};
use tokio::net::TcpListener;

const BACKLOG: i32 = 4096;

/// Listens on `address`, together with others if `reuse_port`, and for connections to any address if `transparent`.
pub(crate) fn listen(address: SocketAddr, reuse_port: bool, transparent: bool) -> anyhow::Result<TcpListener> {
    let open = || {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
        socket.set_reuse_address(true)?;
        socket.set_reuse_port(reuse_port)?;
        if address.is_ipv6() {
            socket.set_only_v6(true)?;
        }
        if transparent {
            set_transparent(&SockRef::from(&socket), address)?;
        }
        socket.bind(&address.into())?;
        socket.listen(BACKLOG)?;
        socket.set_nonblocking(true)?;
        TcpListener::from_std(socket.into())
    };
    open().with_context(|| format!("listen on {address}"))
}

/// `IP_TRANSPARENT`, of the family of `address`.
pub(crate) fn set_transparent(socket: &SockRef<'_>, address: SocketAddr) -> io::Result<()> {
    if address.is_ipv4() {
        socket.set_ip_transparent_v4(true)
    } else {
        socket.set_ip_transparent_v6(true)
    }
}
