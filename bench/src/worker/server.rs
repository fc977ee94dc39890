// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The server process, which stands in for a sidecar: it accepts, and answers as its task says. It measures nothing.

use std::{
    io::{self, Read as _, Write as _},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    os::{fd::AsFd as _, unix::net::UnixListener},
};

use anyhow::Context as _;
use nix::poll::{PollFd, PollFlags};
use socket2::{Domain, SockRef, Socket, Type};
use testkit::retry::{self, retry};

use super::{
    at_once, say, serve_tasks,
    stream::{Stream, unix_address},
    task::{Peer, Sample, Work},
};

/// As many connections as the kernel lets wait; never fewer than one task makes.
const BACKLOG: i32 = 65_535;

/// How much is read at once: what Envoy and curl use at most.
const READ: usize = 1 << 18;

/// The sidecar's stand-in: listens on `port` of all addresses and on a UNIX socket, and carries out its part of tasks
/// until standard input ends.
///
/// As a sidecar does, it asks every connection for its original destination, also where nothing is intercepted.
pub fn server(port: u16) -> anyhow::Result<()> {
    let listeners = Listeners {
        tcp: listen(port).with_context(|| format!("listen on port {port}"))?,
        unix: UnixListener::bind_addr(&unix_address()?).context("listen on the UNIX socket")?,
    };
    say(&Sample::default())?;
    serve_tasks(move |work| carry_out(&listeners, work), |task| task.server_cpu)
}

struct Listeners {
    tcp: TcpListener,
    unix: UnixListener,
}

impl Listeners {
    fn accept(&self, from: Peer) -> anyhow::Result<Box<dyn Stream>> {
        Ok(match from {
            Peer::Server(_) => Box::new(accept(&self.tcp)?.0),
            Peer::Unix => Box::new(self.unix.accept().context("accept by the UNIX socket")?.0),
        })
    }
}

fn listen(port: u16) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    socket.bind(&SocketAddr::from((Ipv4Addr::UNSPECIFIED, port)).into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

fn carry_out(listeners: &Listeners, work: &Work) -> anyhow::Result<Sample> {
    let listener = &listeners.tcp;
    match *work {
        Work::WhereTo { .. } => {
            let (_stream, original) = accept(listener)?;
            return Ok(Sample { original, ..Sample::default() });
        }
        // Told after the application has finished: all are there, and have been reset.
        Work::Connect { count, .. } => {
            for _ in 0..count {
                accept(listener)?;
            }
        }
        Work::Request { count, size, .. } | Work::Load { count, size, .. } => {
            let mut buffer = vec![0; size];
            for _ in 0..count {
                let (mut stream, _) = accept(listener)?;
                stream
                    .read_exact(&mut buffer)
                    .and_then(|()| stream.write_all(&buffer))
                    .context("answer a request")?;
            }
        }
        Work::RoundTrips { to, count, size } => {
            let mut stream = listeners.accept(to)?;
            let mut buffer = vec![0; size];
            for _ in 0..count {
                stream
                    .read_exact(&mut buffer)
                    .and_then(|()| stream.write_all(&buffer))
                    .context("echo")?;
            }
        }
        Work::Bulk { to, count, size } => {
            let mut stream = listeners.accept(to)?;
            let mut buffer = vec![0; READ];
            let mut left = count * size;
            while left > 0 {
                let received = retry(|| stream.read(&mut buffer)).context("receive")?;
                anyhow::ensure!(received > 0, "the connection ended {left} bytes early");
                left -= received;
            }
            stream.write_all(&[1]).context("say that all has arrived")?;
        }
        Work::ManyOpen { count, .. } => return many_open(listener, count),
        Work::Pages { .. } | Work::Crowd { .. } | Work::CloseAll => {}
    }
    Ok(Sample::default())
}

/// Accepts whoever comes until the next task does. (Nothing of that has been read: tasks come one at a time.)
fn many_open(listener: &TcpListener, count: usize) -> anyhow::Result<Sample> {
    let stdin = io::stdin();
    let mut open = Vec::with_capacity(count);
    loop {
        let mut waiting =
            [PollFd::new(listener.as_fd(), PollFlags::POLLIN), PollFd::new(stdin.as_fd(), PollFlags::POLLIN)];
        retry::poll(&mut waiting, None).context("wait for a connection")?;
        let [connection, task] = waiting.map(|fd| fd.any().unwrap_or(false));
        if connection {
            open.push(accept(listener)?);
        } else if task {
            return Ok(Sample::default());
        }
    }
}

fn accept(listener: &TcpListener) -> anyhow::Result<(TcpStream, Option<SocketAddr>)> {
    let (stream, _) = listener.accept().context("accept a connection")?;
    let original = SockRef::from(&stream)
        .original_dst_v4()
        .ok()
        .and_then(|address| address.as_socket());
    Ok((at_once(stream).context("set TCP_NODELAY")?, original))
}
