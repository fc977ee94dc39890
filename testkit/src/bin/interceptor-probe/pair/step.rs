// SPDX-License-Identifier: Apache-2.0 OR MIT
//! System calls on one end of a connection, each of which leaves a line that says what it gave.

use std::{
    fmt::Display,
    net::{Shutdown, TcpStream},
    os::fd::{AsFd as _, AsRawFd as _},
    time::Duration,
};

use nix::{
    errno::Errno,
    getsockopt_impl, libc,
    poll::{PollFd, PollFlags},
    sockopt_impl,
    sys::{
        epoll::{Epoll, EpollEvent},
        socket::{MsgFlags, getsockopt, recv, send},
    },
};
use socket2::SockRef;
use testkit::{
    retry::{epoll_wait, poll, retry, retry_within},
    wait_until,
};

use crate::socket::call_limit;

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
        let sent = send_whole(to, bytes, flags | MsgFlags::MSG_NOSIGNAL);
        self.tell(format_args!("send {} {flags:?}", bytes.len()), sent);
    }

    /// One `recv`; what came is written if it is short.
    pub(super) fn recv(&mut self, from: &TcpStream, size: usize, flags: MsgFlags) -> usize {
        let mut buffer = vec![0; size];
        let received = receive(from, &mut buffer, flags);
        let what = format!("recv {size} {flags:?}");
        match received {
            Ok(read) if read <= 32 => {
                self.say(what, format_args!("{read} {:?}", String::from_utf8_lossy(&buffer[..read])));
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
            match receive(from, &mut buffer, MsgFlags::empty()) {
                Ok(0) => break "end of stream".to_owned(),
                Ok(read) => total += read,
                Err(errno) => break errno.to_string(),
            }
        };
        self.say("recv to the end", format_args!("{total}, {end}"));
    }

    /// What `poll` says at once.
    pub(super) fn poll(&mut self, stream: &TcpStream) {
        let events = poll_events(stream);
        self.say("poll", format_args!("{events:?}"));
    }

    /// Waits until `poll` says at least this, and writes all it says.
    pub(super) fn poll_until(&mut self, stream: &TcpStream, wanted: PollFlags) {
        let mut fds = [PollFd::new(stream.as_fd(), wanted)];
        if let Err(errno) = poll(&mut fds, Some(call_limit())) {
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
        let limit = if wait { call_limit() } else { Duration::ZERO };
        let mut events = [EpollEvent::empty(); 4];
        match epoll_wait(epoll, &mut events, Some(limit)) {
            Ok(count) => {
                let flags: Vec<_> = events[..count].iter().map(EpollEvent::events).collect();
                self.say("epoll_wait", format_args!("{flags:?}"));
            }
            Err(errno) => self.say("epoll_wait", errno),
        }
    }
}

fn poll_events(stream: &TcpStream) -> PollFlags {
    // (POLLRDHUP has to be asked for.)
    let all = PollFlags::POLLIN | PollFlags::POLLPRI | PollFlags::POLLOUT | PollFlags::from_bits_retain(0x2000);
    let mut fds = [PollFd::new(stream.as_fd(), all)];
    match poll(&mut fds, Some(Duration::ZERO)) {
        Ok(_) => fds[0].revents().unwrap_or(PollFlags::empty()),
        Err(_) => PollFlags::POLLNVAL,
    }
}

/// One blocking `send()`. A signal would end it as soon as a part has been sent.
fn send_whole(to: &TcpStream, bytes: &[u8], flags: MsgFlags) -> nix::Result<usize> {
    let mut total = 0;
    loop {
        match retry(|| send(to.as_raw_fd(), &bytes[total..], flags)) {
            Ok(sent) => total += sent,
            Err(errno) if total == 0 => return Err(errno),
            Err(_) => return Ok(total),
        }
        if total == bytes.len() {
            return Ok(total);
        }
    }
}

fn receive(from: &TcpStream, buffer: &mut [u8], flags: MsgFlags) -> nix::Result<usize> {
    let limit = from
        .read_timeout()
        .map_err(|error| Errno::try_from(error).unwrap_or(Errno::UnknownErrno))?;
    retry_within(limit, || recv(from.as_raw_fd(), buffer, flags))
}

sockopt_impl!(
    /// `TCP_INFO`
    TcpInfo,
    GetOnly,
    libc::IPPROTO_TCP,
    libc::TCP_INFO,
    libc::tcp_info
);

/// Waits until the other end has acknowledged everything, a FIN too. What goes from socket to socket without TCP is
/// there at once.
pub(super) fn wait_until_arrived(from: &TcpStream) {
    wait_until("everything that was sent has arrived", || {
        getsockopt(from, TcpInfo).expect("TCP_INFO").tcpi_unacked == 0
    });
}

/// `close()` sends a reset.
pub(super) fn linger_zero(stream: &TcpStream) -> std::io::Result<()> {
    SockRef::from(stream).set_linger(Some(Duration::ZERO))
}
