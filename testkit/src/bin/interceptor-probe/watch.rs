// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Watches what arrives in a network namespace: the first packet of each TCP connection, other segments to the
//! sidecar's outbound port, and UDP datagrams, by the address on the wire. It ends with a datagram to the port for
//! discarded ones.

use std::{
    io::Read as _,
    net::{IpAddr, SocketAddr},
};

use anyhow::Context as _;
use interceptor_verify::probe::Launch;
use nix::libc;
use socket2::{Domain, Protocol, Socket, Type};
use testkit::{retry::retry, write_line};

/// Nobody else sends datagrams there.
const LAST: u16 = 9;

/// Its connections are made over `lo`.
const SIDECAR: u16 = 15001;

/// Writes one line of JSON when it watches, and one for each packet.
pub(crate) fn run(launch: &Launch) -> anyhow::Result<()> {
    let all = Protocol::from(i32::from(u16::try_from(libc::ETH_P_ALL)?.to_be()));
    let mut socket = Socket::new(Domain::PACKET, Type::DGRAM, Some(all)).context("make a packet socket")?;
    launch.assume_user()?;
    write_line(&"watching")?;
    let mut packet = [0; 2048];
    loop {
        let length = retry(|| socket.read(&mut packet)).context("read a packet")?;
        match first(&packet[..length]) {
            Some(("udp", to)) if to.port() == LAST => return Ok(()),
            Some((protocol, to)) => write_line(&format!("{protocol} {to}"))?,
            None => {}
        }
    }
}

/// The protocol and the destination, if the packet is a first one.
fn first(packet: &[u8]) -> Option<(&'static str, SocketAddr)> {
    let address = |bytes: &[u8]| -> Option<IpAddr> {
        <[u8; 4]>::try_from(bytes)
            .map(IpAddr::from)
            .or_else(|_| <[u8; 16]>::try_from(bytes).map(IpAddr::from))
            .ok()
    };
    let (protocol, to, transport) = match packet.first()? >> 4 {
        4 => {
            let length = usize::from(packet[0] & 0xf) * 4;
            (*packet.get(9)?, address(packet.get(16..20)?)?, packet.get(length..)?)
        }
        6 => {
            let (mut protocol, mut rest) = (*packet.get(6)?, packet.get(40..)?);
            // Hop-by-hop options, a routing header, destination options.
            while matches!(protocol, 0 | 43 | 60) {
                protocol = *rest.first()?;
                rest = rest.get((usize::from(*rest.get(1)?) + 1) * 8..)?;
            }
            (protocol, address(packet.get(24..40)?)?, rest)
        }
        _ => return None,
    };
    let to = SocketAddr::new(to, u16::from_be_bytes(transport.get(2..4)?.try_into().ok()?));
    match protocol {
        6 if transport.get(13)? & 0x12 == 0x02 => Some(("tcp", to)),
        6 if to.port() == SIDECAR => Some(("segment", to)),
        17 => Some(("udp", to)),
        _ => None,
    }
}
