// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A listening socket whose queue is full, so that a connection to it takes a while. Never answers a SYN before it is
//! told to.

use std::{
    fs,
    io::{self, ErrorKind, Write as _},
    net::{IpAddr, Ipv4Addr, SocketAddr},
    thread,
    time::Duration,
};

use nix::errno::Errno;
use socket2::{Domain, Socket, Type};
use testkit::{
    retry::{retry, wait_connected},
    wait_until,
};

/// Longer than anything here takes, even on a busy machine.
pub(crate) const LONG: Duration = Duration::from_secs(30);

/// Drops every SYN until somebody accepts.
pub(crate) struct FullListener {
    listener: Socket,
    pub(crate) address: SocketAddr,
    queued: Vec<Socket>,
}

impl FullListener {
    pub(crate) fn new() -> Self {
        let listener = listener(0);
        let address = listener.local_addr().expect("an address").as_socket().expect("an IP address");
        let queued = (0..3).map(|_| {
            let socket = tcp();
            socket.set_nonblocking(true).expect("do not block");
            assert_eq!(kind(socket.connect(&address.into())), ErrorKind::WouldBlock);
            socket
        });
        let queued: Vec<Socket> = queued.collect();
        // One connection fits into a queue of size 0.
        wait_connected(&queued[0], Some(LONG)).expect("the first is queued");
        Self { listener, address, queued }
    }

    /// Waits until so many others have sent a SYN and have had no answer.
    pub(crate) fn wait_for_syns(&self, count: usize) {
        let (IpAddr::V4(ip), port) = (self.address.ip(), self.address.port()) else {
            panic!("{}", self.address)
        };
        // `   0: 0100007F:8000 0100007F:1F90 02 …`: 02 is SYN_SENT.
        let state = format!(" {:08X}:{port:04X} 02 ", u32::from_ne_bytes(ip.octets()));
        let all = count + self.queued.len() - 1;
        wait_until("a SYN is sent", || {
            let sockets = fs::read_to_string("/proc/self/net/tcp").expect("read the list of sockets");
            sockets.matches(&state).count() == all
        });
    }

    /// Accepts everybody, and says a line to each.
    pub(crate) fn accept_all(&self) {
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
