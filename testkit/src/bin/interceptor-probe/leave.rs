// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Sends the first packet of a connection, or a question, in ways in which it may leave past the redirection. It waits
//! for no answer.

use std::{
    ffi::OsString,
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket},
    os::unix::ffi::OsStringExt as _,
};

use anyhow::Context as _;
use clap::{Args, ValueEnum};
use interceptor_verify::probe::{Launch, Step, failure};
use nix::{
    errno::Errno,
    libc,
    net::if_::if_nametoindex,
    setsockopt_impl,
    sys::socket::{ControlMessage, MsgFlags, SetSockOpt as _, SockaddrIn, SockaddrIn6, sendmsg, sockopt::SetOsString},
};
use socket2::{Domain, Protocol, SockAddr, Socket, Type};
use testkit::{
    records::Report,
    retry::{self, retry},
    write_line,
};

#[derive(Args)]
pub(crate) struct Leave {
    /// The kind of socket
    #[arg(value_enum)]
    how: How,
    /// Where to
    #[arg(value_name = "IP:PORT")]
    to: SocketAddr,
    /// The packet goes to this machine first, by a source route (LSRR) or an IPv6 routing header
    #[arg(long, value_name = "IP")]
    by: Option<IpAddr>,
    /// Connect first, and then let the data go by the machine of --by
    #[arg(long, requires = "by")]
    later: bool,
    /// Interface of the socket's packets (`IP_UNICAST_IF`)
    #[arg(long, value_name = "NAME")]
    unicast_interface: Option<String>,
    /// Interface of the message (`IP_PKTINFO`)
    #[arg(long, value_name = "NAME")]
    message_interface: Option<String>,
    /// Make the socket in this cgroup, before moving to the one that the process runs in
    #[arg(long, value_name = "DIR")]
    made_in: Option<std::path::PathBuf>,
    /// Where an ordinary datagram is sent afterwards, so that whoever watches knows that nothing more comes
    #[arg(long, value_name = "IP:PORT")]
    then: SocketAddr,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum How {
    Tcp,
    Udp,
    /// A raw socket, with a TCP header of its own
    Raw,
}

setsockopt_impl!(RoutingHeader, libc::IPPROTO_IPV6, libc::IPV6_RTHDR, OsString, SetOsString<'_>);
setsockopt_impl!(Options, libc::IPPROTO_IP, libc::IP_OPTIONS, OsString, SetOsString<'_>);
setsockopt_impl!(
    UnicastInterface,
    libc::IPPROTO_IP,
    libc::IP_UNICAST_IF,
    OsString,
    SetOsString<'_>
);
setsockopt_impl!(
    UnicastInterface6,
    libc::IPPROTO_IPV6,
    libc::IPV6_UNICAST_IF,
    OsString,
    SetOsString<'_>
);

#[derive(Clone)]
struct RoutingHeader;

#[derive(Clone)]
struct Options;

#[derive(Clone)]
struct UnicastInterface;

#[derive(Clone)]
struct UnicastInterface6;

impl Leave {
    pub(crate) fn run(&self, launch: &Launch) -> anyhow::Result<()> {
        let made = if let Some(cgroup) = &self.made_in {
            Launch::of_place(None, Some(cgroup.clone())).enter()?;
            let made = self.socket();
            launch.enter()?;
            launch.assume_user()?;
            made
        } else {
            launch.assume_user()?;
            self.socket()
        };
        let error = made.and_then(|socket| self.send(&socket)).err();
        let unspecified: IpAddr = if self.then.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { [0; 16].into() };
        let last = UdpSocket::bind((unspecified, 0)).context("make a socket")?;
        last.send_to(b"that was all", self.then).context("send the last datagram")?;
        write_line(&Report { error, ..Report::default() })
    }

    fn socket(&self) -> Step<Socket> {
        let (kind, protocol) = match self.how {
            How::Tcp => (Type::STREAM, None),
            How::Udp => (Type::DGRAM, None),
            How::Raw => (Type::RAW, Some(Protocol::TCP)),
        };
        let domain = Domain::for_address(self.to);
        Socket::new(domain, kind, protocol).map_err(|error| failure("socket", &error))
    }

    fn send(&self, socket: &Socket) -> Step<()> {
        let to = SockAddr::from(self.to);
        if self.later {
            retry::connect(socket, &to).map_err(|error| failure("connect", &error))?;
        }
        self.set_options(socket).map_err(|error| failure("setsockopt", &error.into()))?;
        if self.later {
            let sent = retry(|| socket.send(b"past the sidecar\n"));
            return sent.map(drop).map_err(|error: io::Error| failure("send", &error));
        }
        match self.how {
            How::Tcp => {
                socket.set_nonblocking(true).map_err(|error| failure("setsockopt", &error))?;
                match socket.connect(&to) {
                    Err(error) if error.raw_os_error() == Some(libc::EINPROGRESS) => Ok(()),
                    connected => connected.map_err(|error| failure("connect", &error)),
                }
            }
            How::Udp => self.ask(socket).map_err(|error| failure("send", &error)),
            How::Raw => {
                let portless = SockAddr::from(SocketAddr::new(self.to.ip(), 0));
                let sent = socket.send_to(&syn(self.to.port()), &portless);
                sent.map(drop).map_err(|error| failure("send", &error))
            }
        }
    }

    fn set_options(&self, socket: &Socket) -> nix::Result<()> {
        match self.by {
            None => {}
            // The kernel appends the destination.
            Some(IpAddr::V4(by)) => {
                const LSRR: u8 = 131;
                let option = [&[LSRR, 7, 4], by.octets().as_slice(), &[0]].concat();
                Options.set(socket, &OsString::from_vec(option))?;
            }
            // The kernel puts the destination in the first place.
            Some(IpAddr::V6(by)) => {
                const SEGMENT_ROUTING: u8 = 4;
                let header = [&[0, 4, SEGMENT_ROUTING, 1, 1, 0, 0, 0], [0; 16].as_slice(), &by.octets()].concat();
                RoutingHeader.set(socket, &OsString::from_vec(header))?;
            }
        }
        if let Some(name) = &self.unicast_interface {
            let index = OsString::from_vec(if_nametoindex(name.as_str())?.to_be_bytes().to_vec());
            if self.to.is_ipv4() {
                UnicastInterface.set(socket, &index)?;
            } else {
                UnicastInterface6.set(socket, &index)?;
            }
        }
        Ok(())
    }

    fn ask(&self, socket: &Socket) -> io::Result<()> {
        use std::os::fd::AsRawFd as _;
        const QUESTION: &[u8] = b"who are you\n";
        let Some(name) = &self.message_interface else {
            return socket.send_to(QUESTION, &SockAddr::from(self.to)).map(drop);
        };
        let index = if_nametoindex(name.as_str())?;
        let (fd, message) = (socket.as_raw_fd(), [io::IoSlice::new(QUESTION)]);
        let flags = MsgFlags::empty();
        match self.to {
            SocketAddr::V4(to) => {
                let info = libc::in_pktinfo {
                    ipi_ifindex: index.try_into().map_err(|_too_large| Errno::EINVAL)?,
                    ipi_spec_dst: libc::in_addr { s_addr: 0 },
                    ipi_addr: libc::in_addr { s_addr: 0 },
                };
                sendmsg(
                    fd,
                    &message,
                    &[ControlMessage::Ipv4PacketInfo(&info)],
                    flags,
                    Some(&SockaddrIn::from(to)),
                )?;
            }
            SocketAddr::V6(to) => {
                let info = libc::in6_pktinfo { ipi6_addr: libc::in6_addr { s6_addr: [0; 16] }, ipi6_ifindex: index };
                sendmsg(
                    fd,
                    &message,
                    &[ControlMessage::Ipv6PacketInfo(&info)],
                    flags,
                    Some(&SockaddrIn6::from(to)),
                )?;
            }
        }
        Ok(())
    }
}

/// A TCP header that begins a connection. Nobody looks at its checksum.
fn syn(port: u16) -> [u8; 20] {
    const SOURCE_PORT: u16 = 40_000;
    const WORDS: u8 = 5 << 4;
    const SYN: u8 = 2;
    let mut header = [0; 20];
    header[0..2].copy_from_slice(&SOURCE_PORT.to_be_bytes());
    header[2..4].copy_from_slice(&port.to_be_bytes());
    header[12..14].copy_from_slice(&[WORDS, SYN]);
    header
}
