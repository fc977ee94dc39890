// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Servers that say who they are and whom they see.

use std::{net::SocketAddr, os::unix::fs::fchown};

use anyhow::Context as _;
use clap::Args;
use nix::unistd::getuid;
use socket2::{Domain, Protocol, SockRef, Socket, Type};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpStream},
    signal::unix::{SignalKind, signal},
    task::JoinSet,
};

use super::{
    Launch,
    answer::{answer_all, datagram_socket},
    socket::{levels, original_destination, set_transparent},
    write_line,
};
use crate::messages::{Greeting, Ready};

/// As many as the kernel lets wait.
const BACKLOG: i32 = 65_535;

/// A server.
#[derive(Args)]
pub struct Serve {
    /// What it calls itself
    #[arg(long, default_value = "server")]
    name: String,
    /// Answer datagrams here
    #[arg(long, value_name = "IP:PORT")]
    udp: Vec<SocketAddr>,
    /// Set `SO_REUSEPORT`
    #[arg(long)]
    reuse_port: bool,
    /// Set `IP_TRANSPARENT`, without which TPROXY delivers nothing
    #[arg(long)]
    transparent: bool,
    /// Listen by MPTCP where that can be had, as programs in Go do
    #[arg(long)]
    mptcp: bool,
    /// Give the listening sockets to this group, as their owner may that is a member of it
    #[arg(long, value_name = "GID")]
    give_to_group: Option<u32>,
    /// Where to listen
    #[arg(required = true, value_name = "IP:PORT")]
    listen: Vec<SocketAddr>,
}

impl Serve {
    /// Serves until SIGTERM.
    pub fn run(self, launch: &Launch) -> anyhow::Result<()> {
        launch.assume_user()?;
        until_terminated(async move {
            let mut tasks = JoinSet::new();
            let mut ready = Vec::new();
            for address in &self.listen {
                let protocol = self.mptcp.then_some(Protocol::MPTCP);
                let listener = listen_by(protocol, *address, self.reuse_port, self.transparent)?;
                if self.give_to_group.is_some() {
                    fchown(&listener, None, self.give_to_group).with_context(|| format!("fchown {address}"))?;
                }
                ready.push(listener.local_addr()?);
                tasks.spawn(greet_all(listener, self.name.clone()));
            }
            for address in &self.udp {
                let socket = datagram_socket(*address).with_context(|| format!("bind {address}"))?;
                ready.push(socket.local_addr()?);
                tasks.spawn(answer_all(socket, self.name.clone()));
            }
            write_line(&Ready { ready })?;
            tasks
                .join_next()
                .await
                .context("something to serve")?
                .context("a server's task")?
        })
    }
}

/// Does `work` until SIGTERM comes.
pub fn until_terminated(work: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("start the runtime")?;
    runtime.block_on(async {
        let mut terminate = signal(SignalKind::terminate()).context("wait for SIGTERM")?;
        tokio::select! {
            result = work => result,
            _ = terminate.recv() => Ok(()),
        }
    })
}

/// A listening socket.
pub fn listen(address: SocketAddr, reuse_port: bool, transparent: bool) -> anyhow::Result<TcpListener> {
    listen_by(None, address, reuse_port, transparent)
}

fn listen_by(
    protocol: Option<Protocol>,
    address: SocketAddr,
    reuse_port: bool,
    transparent: bool,
) -> anyhow::Result<TcpListener> {
    let open = || {
        let made = |protocol| Socket::new(Domain::for_address(address), Type::STREAM, protocol);
        let socket = if protocol.is_some() {
            made(protocol).or_else(|_| made(None))
        } else {
            made(None)
        }?;
        socket.set_reuse_address(true)?;
        socket.set_reuse_port(reuse_port)?;
        if address.is_ipv6() {
            socket.set_only_v6(true)?;
        }
        if transparent {
            set_transparent(&socket, address)?;
        }
        socket.bind(&address.into())?;
        socket.listen(BACKLOG)?;
        socket.set_nonblocking(true)?;
        TcpListener::from_std(socket.into())
    };
    open().with_context(|| format!("listen on {address}"))
}

async fn greet_all(listener: TcpListener, name: String) -> anyhow::Result<()> {
    loop {
        let (stream, peer) = listener.accept().await?;
        let greeting = greeting(&name, &stream, peer)?;
        write_line(&greeting)?;
        tokio::spawn(greet(stream, greeting));
    }
}

/// Who serves, and whom it sees.
pub fn greeting(name: &str, stream: &TcpStream, peer: SocketAddr) -> anyhow::Result<Greeting> {
    Ok(Greeting {
        name: name.to_owned(),
        uid: getuid().as_raw(),
        local: stream.local_addr()?,
        peer,
        original_destination: original_destination(&SockRef::from(stream)),
        levels: levels(&SockRef::from(stream)).into(),
    })
}

/// Says who it is, and then repeats what it is told. A client that breaks the connection off ends it.
async fn greet(stream: TcpStream, greeting: Greeting) -> anyhow::Result<()> {
    let mut stream = BufReader::new(stream);
    let mut line = serde_json::to_string(&greeting)? + "\n";
    loop {
        stream.write_all(line.as_bytes()).await?;
        line.clear();
        if stream.read_line(&mut line).await? == 0 {
            return Ok(());
        }
    }
}
