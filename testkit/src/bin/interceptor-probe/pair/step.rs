// SPDX-License-Identifier: Apache-2.0 OR MIT
//! System calls on one end of a connection, each of which leaves a line that says what it gave.

use std::{
    fmt::Display,
    net::{Shutdown, TcpStream},
    os::fd::{AsFd as _, AsRawFd as _},
    time::Duration,
};

use nix::{
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::{
        epoll::{Epoll, EpollEvent, EpollTimeout},
        socket::{MsgFlags, recv, send},
    },
};
use socket2::SockRef;

/// Long enough for everything that is going to happen, in milliseconds.
const PATIENCE: u16 = 10_000;

/// What was done and seen.
#[derive(Default)]
pub(super) struct Log(pub(super) Vec<String>);

impl Log {
    pub(super) fn say(&mut self, what: impl Display, gave: impl Display) {
        self.0.push(format!("{what}: {gave}"));
    }

    pub(super) fn tell<T: Display, E: Display>(&mut self, what: impl Display, gave: Result<T, E>) {
        match gave {
            Ok(value) => self.say(what, value),
            Err(error) => self.say(what, error),
        }
    }

    pub(super) fn send(&mut self, to: &TcpStream, bytes: &[u8], flags: MsgFlags) {
        let sent = send(to.as_raw_fd(), bytes, flags | MsgFlags::MSG_NOSIGNAL);
        self.tell(format_args!("send {} {flags:?}", bytes.len()), sent);
    }

    /// One `recv`; what came is written if it is short.
    pub(super) fn recv(&mut self, from: &TcpStream, size: usize, flags: MsgFlags) -> usize {
        let mut buffer = vec![0; size];
        let received = recv(from.as_raw_fd(), &mut buffer, flags);
        let what = format!("recv {size} {flags:?}");
        match received {
            Ok(read) if read <= 32 => {
                self.say(what, format_args!("{read} {:?}", String::from_utf8_lossy(&buffer[..read])))
            }
            received => self.tell(what, received),
        }
        received.unwrap_or_default()
    }

    /// Reads until nothing more comes: how much it was, and how it ended. How it was cut into pieces is nobody's
    /// business.
    pub(super) fn recv_rest(&mut self, from: &TcpStream) {
        let mut buffer = vec![0; 64 * 1024];
        let mut total = 0;
        let end = loop {
            match recv(from.as_raw_fd(), &mut buffer, MsgFlags::empty()) {
                Ok(0) => break "end of stream".to_owned(),
                Ok(read) => total += read,
                Err(errno) => break errno.to_string(),
            }
        };
        self.say("recv to the end", format_args!("{total}, {end}"));
    }

    /// What `poll` says at once.
    pub(super) fn poll(&mut self, stream: &TcpStream) {
        let events = poll_events(stream, PollTimeout::ZERO);
        self.say("poll", format_args!("{events:?}"));
    }

    /// Waits until `poll` says at least this, and writes all it says.
    pub(super) fn poll_until(&mut self, stream: &TcpStream, wanted: PollFlags) {
        let mut fds = [PollFd::new(stream.as_fd(), wanted)];
        if let Err(errno) = poll(&mut fds, PATIENCE) {
            self.say("poll", errno);
        }
        self.poll(stream);
    }

    pub(super) fn fionread(&mut self, stream: &TcpStream) {
        self.tell("FIONREAD", rustix::io::ioctl_fionread(stream));
    }

    pub(super) fn shutdown(&mut self, stream: &TcpStream, how: Shutdown) {
        self.tell(format_args!("shutdown {how:?}"), stream.shutdown(how).map(|()| "done"));
    }

    /// What `epoll_wait` reports: how many events, and which.
    pub(super) fn epoll(&mut self, epoll: &Epoll, wait: bool) {
        let timeout = if wait { EpollTimeout::from(PATIENCE) } else { EpollTimeout::ZERO };
        let mut events = [EpollEvent::empty(); 4];
        match epoll.wait(&mut events, timeout) {
            Ok(count) => {
                let flags: Vec<_> = events[..count].iter().map(EpollEvent::events).collect();
                self.say("epoll_wait", format_args!("{flags:?}"));
            }
            Err(errno) => self.say("epoll_wait", errno),
        }
    }
}

fn poll_events(stream: &TcpStream, timeout: PollTimeout) -> PollFlags {
    // (POLLRDHUP has to be asked for.)
    let all = PollFlags::POLLIN | PollFlags::POLLPRI | PollFlags::POLLOUT | PollFlags::from_bits_retain(0x2000);
    let mut fds = [PollFd::new(stream.as_fd(), all)];
    match poll(&mut fds, timeout) {
        Ok(_) => fds[0].revents().unwrap_or(PollFlags::empty()),
        Err(_) => PollFlags::POLLNVAL,
    }
}

/// `close()` sends a reset.
pub(super) fn linger_zero(stream: &TcpStream) -> std::io::Result<()> {
    SockRef::from(stream).set_linger(Some(Duration::ZERO))
}
