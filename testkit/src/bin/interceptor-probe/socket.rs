// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Client sockets, as the options of a probe want them.

use std::{
    io,
    net::{Ipv6Addr, SocketAddr, SocketAddrV6},
    time::Duration,
};

use clap::{Args, ValueEnum};
use interceptor_verify::probe::{Launch, Step, failure};
use socket2::{Domain, SockAddr, Socket, Type};
use testkit::{retry, timeout};

use crate::identity::as_user;

/// How long a system call may take. The test waits three times as long for the probe, so the probe can still tell
/// which call it was.
pub(crate) fn call_limit() -> Duration {
    timeout() / 3
}

#[derive(Args)]
pub(crate) struct SocketOptions {
    /// Address to bind to before connecting; the port is optional
    #[arg(long, value_name = "IP[:PORT]", value_parser = address)]
    bind: Option<SocketAddr>,
    /// Bind to this interface (`SO_BINDTODEVICE`)
    #[arg(long, value_name = "NAME")]
    device: Option<String>,
    /// Address family of the socket
    #[arg(long, value_enum, default_value = "4")]
    family: Family,
    /// Set `SO_REUSEADDR`
    #[arg(long)]
    reuse_address: bool,
    /// Make the socket before becoming the user
    #[arg(long)]
    socket_before_setuid: bool,
    /// Make the socket as this user and group, before becoming the user
    #[arg(long, value_name = "UID", conflicts_with = "socket_before_setuid")]
    socket_owner: Option<u32>,
    /// As --socket-owner, but stay root in the real ids, as a set-uid program does
    #[arg(long, value_name = "UID", conflicts_with_all = ["socket_before_setuid", "socket_owner"])]
    socket_effective_owner: Option<u32>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Family {
    #[value(name = "4")]
    V4,
    #[value(name = "6")]
    V6,
    /// An IPv6 socket that dials an IPv4 address in its `::ffff:` form
    #[value(name = "6-mapped")]
    V6Mapped,
}

impl SocketOptions {
    /// Becomes the user of `launch`, and makes the socket at the moment that the options ask for.
    pub(crate) fn make(&self, launch: &Launch, kind: Type) -> anyhow::Result<Step<Socket>> {
        let early = match (self.socket_owner, self.socket_effective_owner) {
            (Some(owner), _) => Some(as_user(owner, owner, || self.socket(kind))?),
            (_, Some(owner)) => Some(as_user(0, owner, || self.socket(kind))?),
            _ if self.socket_before_setuid => Some(self.socket(kind)),
            _ => None,
        };
        launch.assume_user()?;
        Ok(early.unwrap_or_else(|| self.socket(kind)))
    }

    pub(crate) fn socket(&self, kind: Type) -> Step<Socket> {
        let domain = if self.family == Family::V4 { Domain::IPV4 } else { Domain::IPV6 };
        Socket::new(domain, kind, None).map_err(|error| failure("socket", &error))
    }

    /// Sets the options, binds and connects.
    pub(crate) fn connect(&self, socket: &Socket, to: SocketAddr) -> Step<()> {
        let set = |result: io::Result<()>| result.map_err(|error| failure("setsockopt", &error));
        set(socket.set_write_timeout(Some(call_limit())))?;
        set(socket.set_read_timeout(Some(call_limit())))?;
        set(socket.set_reuse_address(self.reuse_address))?;
        set(self
            .device
            .as_ref()
            .map_or(Ok(()), |device| socket.bind_device(Some(device.as_bytes()))))?;
        if let Some(bind) = self.bind {
            socket
                .bind(&SockAddr::from(self.in_family(bind)))
                .map_err(|error| failure("bind", &error))?;
        }
        retry::connect(socket, &SockAddr::from(self.in_family(to))).map_err(|error| failure("connect", &error))
    }

    pub(crate) fn in_family(&self, address: SocketAddr) -> SocketAddr {
        match (self.family, address) {
            (Family::V6Mapped, SocketAddr::V4(v4)) => {
                SocketAddrV6::new(v4.ip().to_ipv6_mapped(), v4.port(), 0, 0).into()
            }
            (Family::V6Mapped, SocketAddr::V6(v6)) if *v6.ip() == Ipv6Addr::UNSPECIFIED => address,
            (Family::V4 | Family::V6 | Family::V6Mapped, _) => address,
        }
    }
}

fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse()
        .or_else(|_| text.parse().map(|ip| SocketAddr::new(ip, 0)))
        .map_err(|error| error.to_string())
}
