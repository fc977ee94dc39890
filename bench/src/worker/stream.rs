// SPDX-License-Identifier: Apache-2.0 OR MIT
//! TCP connections and UNIX sockets under one name, so that both are measured by the same code.

use std::{
    io::{Read, Write},
    net::TcpStream,
    os::{linux::net::SocketAddrExt as _, unix::net::SocketAddr, unix::net::UnixStream},
};

use anyhow::Context as _;

/// One connection, of whatever kind.
pub(super) trait Stream: Read + Write {}

impl Stream for TcpStream {}
impl Stream for UnixStream {}

/// Where the stand-in listens besides its port: an abstract name, of which each network namespace has its own.
pub(super) fn unix_address() -> anyhow::Result<SocketAddr> {
    SocketAddr::from_abstract_name("interceptor-bench").context("name a UNIX socket")
}
