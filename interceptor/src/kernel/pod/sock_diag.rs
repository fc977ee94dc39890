// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Which sockets of a network namespace listen: TCP sockets, and UDP sockets that are connected to nobody.

use std::io;

use anyhow::{Context as _, Result};
use netlink_packet_core::{NLM_F_DUMP, NLM_F_REQUEST, NetlinkHeader, NetlinkMessage, NetlinkPayload};
use netlink_packet_sock_diag::{
    SockDiagMessage,
    inet::{ExtensionFlags, InetRequest, SocketId, StateFlags},
};
use netlink_sys::{Socket, protocols::NETLINK_SOCK_DIAG};
use nix::libc::{AF_INET, AF_INET6, IPPROTO_TCP, IPPROTO_UDP};

use crate::kernel::pod::netns::Netns;

/// A socket that was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) inode: u64,
    /// Host byte order.
    pub(crate) port: u16,
}

/// All listening TCP sockets, of both families.
pub(crate) fn listening_tcp(netns: &Netns) -> Result<Vec<Found>> {
    sockets(netns, &TCP)
}

/// All UDP sockets that have a port and are not connected, of both families.
pub(crate) fn unconnected_udp(netns: &Netns) -> Result<Vec<Found>> {
    sockets(netns, &UDP)
}

/// Which sockets are looked for, and where the kernel tells of them.
pub(crate) struct Kind {
    protocol: i32,
    states: StateFlags,
    tables: [&'static str; 2],
    /// The state, as it is written in the tables.
    state: &'static str,
}

pub(crate) const TCP: Kind = Kind {
    protocol: IPPROTO_TCP,
    states: StateFlags::LISTEN,
    tables: ["/proc/thread-self/net/tcp", "/proc/thread-self/net/tcp6"],
    state: "0A",
};

const UDP: Kind = Kind {
    protocol: IPPROTO_UDP,
    states: StateFlags::CLOSE,
    tables: ["/proc/thread-self/net/udp", "/proc/thread-self/net/udp6"],
    state: "07",
};

fn sockets(netns: &Netns, kind: &Kind) -> Result<Vec<Found>> {
    match netns.run(|| diagnosed(kind))?? {
        Some(sockets) => Ok(sockets),
        None => in_tables(&netns.read_files(&kind.tables)?, kind),
    }
}

/// Asks `sock_diag`, which looks at sockets of this kind only. None when this kernel is built without it
/// (`CONFIG_INET_DIAG`, `CONFIG_INET_UDP_DIAG`).
fn diagnosed(kind: &Kind) -> Result<Option<Vec<Found>>> {
    let mut sockets = Vec::new();
    for (family, socket_id) in [(AF_INET, SocketId::new_v4()), (AF_INET6, SocketId::new_v6())] {
        let request = InetRequest {
            family: u8::try_from(family)?,
            protocol: u8::try_from(kind.protocol)?,
            extensions: ExtensionFlags::empty(),
            states: kind.states.clone(),
            socket_id,
        };
        match dump(request, &mut sockets) {
            Ok(()) => {}
            Err(error) if matches!(error.raw_os_error(), Some(nix::libc::ENOENT | nix::libc::EPROTONOSUPPORT)) => {
                return Ok(None);
            }
            Err(error) => return Err(error).context("Failed to list the sockets (sock_diag)"),
        }
    }
    Ok(Some(sockets))
}

fn dump(request: InetRequest, sockets: &mut Vec<Found>) -> io::Result<()> {
    let mut header = NetlinkHeader::default();
    header.flags = NLM_F_REQUEST | NLM_F_DUMP;
    let mut message = NetlinkMessage::new(header, SockDiagMessage::InetRequest(request).into());
    message.finalize();
    let mut bytes = vec![0; message.buffer_len()];
    message.serialize(&mut bytes);

    let mut socket = Socket::new(NETLINK_SOCK_DIAG)?;
    socket.bind_auto()?;
    socket.send(&bytes, 0)?;
    loop {
        let (datagram, _sender) = socket.recv_from_full()?;
        if read_datagram(&datagram, sockets)? {
            return Ok(());
        }
    }
}

/// Adds the sockets in one datagram of the answer. Whether it was the last one.
pub(crate) fn read_datagram(datagram: &[u8], sockets: &mut Vec<Found>) -> io::Result<bool> {
    let mut rest = datagram;
    while !rest.is_empty() {
        let message = NetlinkMessage::<SockDiagMessage>::deserialize(rest).map_err(io::Error::other)?;
        match message.payload {
            NetlinkPayload::InnerMessage(SockDiagMessage::InetResponse(found)) => {
                sockets.push(Found { inode: found.header.inode.into(), port: found.header.socket_id.source_port });
            }
            NetlinkPayload::Done(_) => return Ok(true),
            NetlinkPayload::Error(error) => return Err(refusal(error.raw_code())),
            _ => {} // padding, and what this does not ask for
        }
        // Messages begin at multiples of four bytes.
        let length = usize::try_from(message.header.length)
            .map_err(io::Error::other)?
            .next_multiple_of(4);
        rest = rest.get(length..).unwrap_or_default();
    }
    Ok(false)
}

/// The error that the kernel's number stands for. The crate's own conversion panics if no such number exists.
fn refusal(code: i32) -> io::Error {
    let errno = code.checked_neg().filter(|errno| *errno > 0);
    io::Error::from_raw_os_error(errno.unwrap_or(nix::libc::EIO))
}

/// Reads `/proc/net/tcp` or `/proc/net/udp`, for which the kernel walks all sockets of the node
/// ([`proc_net_tcp.rst`](https://github.com/torvalds/linux/blob/v6.12/Documentation/networking/proc_net_tcp.rst)).
pub(crate) fn in_tables(texts: &[String], kind: &Kind) -> Result<Vec<Found>> {
    let lines = texts
        .iter()
        .flat_map(|text| text.lines().skip(1))
        .filter(|line| state(line) == Some(kind.state));
    lines
        .map(|line| found(line).with_context(|| format!("Failed to make sense of {}: {line:?}", kind.tables[0])))
        .collect()
}

fn state(line: &str) -> Option<&str> {
    line.split_whitespace().nth(3)
}

fn found(line: &str) -> Option<Found> {
    let mut fields = line.split_whitespace();
    let (_, port) = fields.nth(1)?.rsplit_once(':')?;
    Some(Found { port: u16::from_str_radix(port, 16).ok()?, inode: fields.nth(7)?.parse().ok()? })
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, UdpSocket};

    use super::*;

    /// Kernels without `sock_diag` have the table alone.
    fn assert_known(port: u16, kind: &Kind) {
        let texts = kind.tables.map(|table| std::fs::read_to_string(table).unwrap());
        let in_table = in_tables(&texts, kind)
            .unwrap()
            .into_iter()
            .find(|socket| socket.port == port)
            .expect("the table has the socket");
        assert!(
            diagnosed(kind).unwrap().is_none_or(|sockets| sockets.contains(&in_table)),
            "{in_table:?}"
        );
    }

    #[test]
    fn both_sources_know_a_listening_socket() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        assert_known(listener.local_addr().unwrap().port(), &TCP);
    }

    #[test]
    fn both_sources_know_a_udp_socket() {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        assert_known(socket.local_addr().unwrap().port(), &UDP);
    }

    #[test]
    fn an_error_with_a_number_that_no_error_has_is_an_error() {
        for (code, errno) in [(-nix::libc::ENOENT, nix::libc::ENOENT), (i32::MIN, nix::libc::EIO)] {
            // `struct nlmsghdr` of type NLMSG_ERROR, and `struct nlmsgerr` without the question.
            let words = [20, 2, 0, 0, code];
            let datagram: Vec<u8> = words.iter().flat_map(|word| word.to_ne_bytes()).collect();
            let error = read_datagram(&datagram, &mut Vec::new()).unwrap_err();
            assert_eq!(error.raw_os_error(), Some(errno));
        }
    }

    #[test]
    fn a_line_of_the_table_tells_port_and_inode() {
        let line = "   0: 00000000:3A9E 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1337        0 4711 1 \
                    0000 100 0 0 10 0";
        assert_eq!(
            (state(line), found(line)),
            (Some(TCP.state), Some(Found { inode: 4711, port: 15006 }))
        );
        assert_eq!(found("something else"), None);
    }
}
