// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Makes connections whose both ends are in this process, the server's in a place of its own. It sends nothing on
//! them.

use std::{
    net::{SocketAddr, TcpStream},
    os::fd::AsRawFd as _,
    path::PathBuf,
};

use anyhow::{Context as _, ensure};
use clap::Args;
use interceptor_verify::probe::Launch;
use nix::{
    sys::{
        prctl::set_pdeathsig,
        signal::Signal,
        socket::{MsgFlags, SockaddrStorage, sendto},
    },
    unistd::{Gid, Uid, setfsgid, setfsuid},
};
use socket2::{Domain, Protocol, Socket, Type};
use testkit::retry::{self, retry};

use crate::socket::call_limit;

/// Where the two ends are, and who makes them.
#[derive(Args)]
pub(super) struct Ends {
    /// Network namespace of the servers; that of the clients if there is none
    #[arg(long, value_name = "NAME|PATH", requires = "server_cgroup")]
    server_netns: Option<PathBuf>,
    /// cgroup2 directory of the servers
    #[arg(long, value_name = "DIR")]
    server_cgroup: Option<PathBuf>,
    /// User and group that the servers' sockets are made by
    #[arg(long)]
    server_uid: u32,
    /// User and group that the clients' sockets are made by
    #[arg(long)]
    client_uid: u32,
    /// Where the servers listen
    #[arg(long, value_name = "IP:PORT")]
    listen: SocketAddr,
    /// Where the clients come from
    #[arg(long, value_name = "IP:PORT")]
    source: Option<SocketAddr>,
    /// Where they connect to
    #[arg(long, value_name = "IP:PORT")]
    to: SocketAddr,
    /// The clients' sockets are of Multipath TCP
    #[arg(long)]
    mptcp: bool,
}

/// Makes connections.
pub(super) struct Maker<'a> {
    listener: Socket,
    ends: &'a Ends,
}

impl Ends {
    /// Listens in the servers' place, and goes back to that of the clients.
    pub(super) fn maker(&self, launch: &Launch) -> anyhow::Result<Maker<'_>> {
        Launch::of_place(self.server_netns.clone(), self.server_cgroup.clone()).enter()?;
        act_as(self.server_uid);
        let listener = self.socket(None)?;
        listener.set_reuse_address(true)?;
        listener
            .bind(&self.listen.into())
            .with_context(|| format!("bind to {}", self.listen))?;
        listener.listen(4096)?;
        act_as(0);
        launch.enter()?;
        act_as(self.client_uid);
        // Another user clears it, so it comes last.
        set_pdeathsig(Signal::SIGKILL).context("tie this process to its parent")?;
        Ok(Maker { listener, ends: self })
    }

    fn client_socket(&self) -> anyhow::Result<Socket> {
        self.socket(self.mptcp.then_some(Protocol::MPTCP))
    }

    fn socket(&self, protocol: Option<Protocol>) -> anyhow::Result<Socket> {
        Socket::new(Domain::for_address(self.to), Type::STREAM, protocol).context("make a socket")
    }
}

impl Maker<'_> {
    /// A connection: the client's end and the server's.
    pub(super) fn make(&self) -> anyhow::Result<(TcpStream, TcpStream)> {
        let socket = self.ends.client_socket()?;
        if let Some(source) = self.ends.source {
            socket.bind(&source.into()).with_context(|| format!("bind to {source}"))?;
        }
        self.connect(&socket)?;
        let accepted = self.accept_socket()?;
        for end in [&socket, &accepted] {
            end.set_read_timeout(Some(call_limit()))?;
            end.set_write_timeout(Some(call_limit()))?;
        }
        Ok((socket.into(), accepted.into()))
    }

    /// As [`Self::make`], but the client's first bytes travel with its SYN.
    pub(super) fn make_fast_open(&self, first: &[u8]) -> anyhow::Result<(TcpStream, TcpStream)> {
        const MSG_FASTOPEN: MsgFlags = MsgFlags::from_bits_retain(0x2000_0000);
        let socket = self.ends.client_socket()?;
        // A call that waits may be interrupted, and then nobody knows what it has sent.
        socket.set_nonblocking(true)?;
        let sent = sendto(socket.as_raw_fd(), first, &SockaddrStorage::from(self.ends.to), MSG_FASTOPEN)
            .context("send with the SYN")?;
        ensure!(sent == first.len(), "{sent} of {} bytes fit into the SYN", first.len());
        retry::wait_connected(&socket, Some(call_limit())).context("connect")?;
        socket.set_nonblocking(false)?;
        Ok((socket.into(), self.accept()?))
    }

    /// Connects, or connects again.
    pub(super) fn connect(&self, socket: &Socket) -> anyhow::Result<()> {
        retry::connect(socket, &self.ends.to.into()).with_context(|| format!("connect to {}", self.ends.to))
    }

    pub(super) fn accept(&self) -> anyhow::Result<TcpStream> {
        let accepted = self.accept_socket()?;
        accepted.set_read_timeout(Some(call_limit()))?;
        Ok(accepted.into())
    }

    fn accept_socket(&self) -> anyhow::Result<Socket> {
        let (accepted, _peer) = retry(|| self.listener.accept()).context("accept")?;
        Ok(accepted)
    }
}

/// Sockets are made by this user and group from now on, on this thread. The rest of root's powers stays.
fn act_as(id: u32) {
    setfsgid(Gid::from_raw(id));
    setfsuid(Uid::from_raw(id));
}
