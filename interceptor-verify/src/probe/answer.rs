// SPDX-License-Identifier: Apache-2.0 OR MIT
//! UDP servers that answer from the address that was asked, as DNS servers do, however many the machine has.

use std::{
    io::{self, IoSlice, IoSliceMut},
    net::{IpAddr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6},
    os::fd::AsRawFd as _,
};

use anyhow::Context as _;
use nix::{
    cmsg_space, libc,
    sys::socket::{
        ControlMessage, ControlMessageOwned, MsgFlags, SockaddrStorage, recvmsg, sendmsg, setsockopt,
        sockopt::{Ipv4PacketInfo, Ipv6RecvPacketInfo},
    },
    unistd::getuid,
};
use socket2::{Domain, Socket, Type};
use tokio::{io::Interest, net::UdpSocket};

use super::write_line;
use crate::messages::Greeting;

/// A socket on `address`; `[::]` leaves IPv4 to others.
pub(super) fn datagram_socket(address: SocketAddr) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, None)?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
        // Ranges that are routed here are asked as well.
        socket.set_freebind_v6(true)?;
        setsockopt(&socket, Ipv6RecvPacketInfo, &true)?;
    } else {
        setsockopt(&socket, Ipv4PacketInfo, &true)?;
    }
    socket.bind(&address.into())?;
    socket.set_nonblocking(true)?;
    UdpSocket::from_std(socket.into())
}

/// Tells everyone who asks who this is, and whom it sees.
pub(super) async fn answer_all(socket: UdpSocket, name: String) -> anyhow::Result<()> {
    let port = socket.local_addr()?.port();
    loop {
        let (asked, peer) = socket.async_io(Interest::READABLE, || receive(&socket)).await?;
        let local = SocketAddr::new(asked.address(), port);
        let greeting = Greeting {
            name: name.clone(),
            uid: getuid().as_raw(),
            local,
            peer,
            original_destination: None,
            levels: Vec::new(),
        };
        write_line(&greeting)?;
        let text = serde_json::to_vec(&greeting)?;
        match socket.async_io(Interest::WRITABLE, || send(&socket, &text, &asked, peer)).await {
            // Nobody waits there any more: an error of an earlier answer. Or nobody there is reached from the address
            // that was asked.
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::ConnectionRefused | io::ErrorKind::NetworkUnreachable
                ) => {}
            result => result.with_context(|| format!("answer {peer} from {local}"))?,
        }
    }
}

/// Which of the machine's addresses a datagram was for.
enum Asked {
    V4(libc::in_pktinfo),
    V6(libc::in6_pktinfo),
}

impl Asked {
    fn address(&self) -> IpAddr {
        match self {
            Self::V4(info) => IpAddr::from(u32::from_be(info.ipi_addr.s_addr).to_be_bytes()),
            Self::V6(info) => Ipv6Addr::from(info.ipi6_addr.s6_addr).into(),
        }
    }
}

/// Reads a datagram and forgets what it says.
fn receive(socket: &UdpSocket) -> io::Result<(Asked, SocketAddr)> {
    let mut datagram = [0; 2048];
    let mut parts = [IoSliceMut::new(&mut datagram)];
    let mut space = cmsg_space!(libc::in6_pktinfo);
    let message = recvmsg::<SockaddrStorage>(socket.as_raw_fd(), &mut parts, Some(&mut space), MsgFlags::empty())?;
    let asked = message.cmsgs()?.find_map(|part| match part {
        ControlMessageOwned::Ipv4PacketInfo(info) => Some(Asked::V4(info)),
        ControlMessageOwned::Ipv6PacketInfo(info) => Some(Asked::V6(info)),
        _ => None,
    });
    let peer = message.address.as_ref().and_then(socket_address);
    asked.zip(peer).ok_or_else(|| io::Error::other("a datagram without addresses"))
}

fn send(socket: &UdpSocket, text: &[u8], asked: &Asked, peer: SocketAddr) -> io::Result<()> {
    let parts = [IoSlice::new(text)];
    // From the address that was asked, by whichever interface leads back.
    let (v4, v6);
    let source = match asked {
        Asked::V4(info) => {
            v4 = libc::in_pktinfo { ipi_ifindex: 0, ipi_spec_dst: info.ipi_addr, ..*info };
            ControlMessage::Ipv4PacketInfo(&v4)
        }
        Asked::V6(info) => {
            v6 = libc::in6_pktinfo { ipi6_ifindex: 0, ..*info };
            ControlMessage::Ipv6PacketInfo(&v6)
        }
    };
    sendmsg(
        socket.as_raw_fd(),
        &parts,
        &[source],
        MsgFlags::empty(),
        Some(&SockaddrStorage::from(peer)),
    )?;
    Ok(())
}

fn socket_address(address: &SockaddrStorage) -> Option<SocketAddr> {
    let v4 = address.as_sockaddr_in().map(|v4| SocketAddrV4::from(*v4).into());
    v4.or_else(|| address.as_sockaddr_in6().map(|v6| SocketAddrV6::from(*v6).into()))
}
