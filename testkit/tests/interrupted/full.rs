// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A listening socket whose queue is full, so that a connection to it takes a while. Never answers a SYN before it is
//! told to.

use std::{
    fs,
    io::{self, ErrorKind, Read as _, Write as _},
    net::{IpAddr, Ipv4Addr, SocketAddr},
    os::fd::AsFd as _,
    thread,
    time::Duration,
};

use nix::{
    errno::Errno,
    poll::{PollFd, PollFlags},
};
use socket2::{Domain, Socket, Type};
use testkit::{
    retry::{self, retry, wait_connected},
    wait_until,
};

/// Longer than anything here takes, even on a busy machine.
pub(crate) const LONG: Duration = Duration::from_secs(30);

/// More than anybody here connects at once.
const QUEUE: i32 = 128;

/// Drops every SYN until somebody accepts.
pub(crate) struct FullListener {
    listener: Socket,
    pub(crate) address: SocketAddr,
    _first: Socket,
    waiting: Vec<Socket>,
}

impl FullListener {
    pub(crate) fn new() -> Self {
        let listener = listener(0);
        let address = listener.local_addr().expect("an address").as_socket().expect("an IP address");
        // One connection fits into a queue of size 0. Only when it is there does the kernel drop the SYNs of others.
        let first = tcp();
        retry::connect(&first, &address.into()).expect("a connection");
        let mut fds = [PollFd::new(listener.as_fd(), PollFlags::POLLIN)];
        assert_eq!(retry::poll(&mut fds, Some(LONG)), Ok(1), "the first is queued");
        let waiting = (0..2).map(|_| begin_to_connect(address));
        Self { listener, address, _first: first, waiting: waiting.collect() }
    }

    /// Waits until so many others have sent a SYN and have had no answer.
    pub(crate) fn wait_for_syns(&self, count: usize) {
        let (IpAddr::V4(ip), port) = (self.address.ip(), self.address.port()) else {
            panic!("{}", self.address)
        };
        // `   0: 0100007F:8000 0100007F:1F90 02 …`: 02 is SYN_SENT.
        let state = format!(" {:08X}:{port:04X} 02 ", u32::from_ne_bytes(ip.octets()));
        let all = count + self.waiting.len();
        wait_until("a SYN is sent", || {
            let sockets = fs::read_to_string("/proc/self/net/tcp").expect("read the list of sockets");
            sockets.matches(&state).count() == all
        });
    }

    /// Accepts everybody, and says a line to each.
    ///
    /// Those who wait send their next SYN at about the same time. If two of them were answered while the queue has
    /// one place, the kernel would drop the second one's ACK. It answers SYNs to so short a queue with SYN cookies, so
    /// it would not remember that connection, and not repeat its SYN-ACK. The client would take itself for connected,
    /// and would wait for the line for ever. So the queue is made long before it gets its first free place.
    pub(crate) fn accept_all(&self) {
        self.listener.listen(QUEUE).expect("a longer queue");
        let listener = self.listener.try_clone().expect("the same socket again");
        thread::spawn(move || {
            let mut accepted = Vec::new();
            while let Ok((mut connection, _)) = retry(|| listener.accept()) {
                connection.write_all(b"welcome\n").unwrap_or_default();
                accepted.push(connection);
            }
        });
    }
}

/// A socket that has sent its SYN.
fn begin_to_connect(to: SocketAddr) -> Socket {
    let socket = tcp();
    socket.set_nonblocking(true).expect("do not block");
    assert_eq!(kind(socket.connect(&to.into())), ErrorKind::WouldBlock);
    socket
}

pub(crate) fn tcp() -> Socket {
    Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket")
}

pub(crate) fn listener(backlog: i32) -> Socket {
    let listener = tcp();
    listener.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into()).expect("bind");
    listener.listen(backlog).expect("listen");
    listener
}

pub(crate) fn kind<T: std::fmt::Debug>(result: io::Result<T>) -> ErrorKind {
    let error = result.expect_err("a failure");
    // What the standard library does not name yet.
    if error.raw_os_error() == Some(Errno::EINPROGRESS as i32) {
        ErrorKind::WouldBlock
    } else {
        error.kind()
    }
}

#[test]
fn everybody_who_waited_is_accepted_and_told_so() {
    let full = FullListener::new();
    let clients: Vec<Socket> = (0..30).map(|_| begin_to_connect(full.address)).collect();
    full.wait_for_syns(clients.len());
    full.accept_all();
    for mut client in clients {
        wait_connected(&client, Some(LONG)).expect("a connection");
        client.set_nonblocking(false).expect("block");
        client.set_read_timeout(Some(LONG)).expect("set a time limit");
        let mut line = [0; 8];
        client.read_exact(&mut line).expect("a line");
        assert_eq!(&line, b"welcome\n");
    }
}
