// SPDX-License-Identifier: Apache-2.0 OR MIT
//! System calls that go on after a signal, or work for an `io_uring`, has interrupted them. Every blocking call of
//! the test programs goes through here. No call waits longer than it would without interruptions.
//!
//! The kernel itself repeats most interrupted calls, but never `poll()`, `epoll_wait()` and calls on a socket with a
//! time limit ([signal(7)](https://man7.org/linux/man-pages/man7/signal.7.html)).

use std::{
    io::{self, ErrorKind},
    os::fd::AsFd as _,
    time::{Duration, Instant},
};

use nix::{
    errno::Errno,
    libc::c_int,
    poll::{PollFd, PollFlags, PollTimeout},
    sys::epoll::{Epoll, EpollEvent, EpollTimeout},
};
use socket2::{SockAddr, Socket};

/// An error of a system call.
pub trait SystemError {
    /// Whether the call was interrupted before it did anything.
    fn is_interruption(&self) -> bool;
}

impl SystemError for Errno {
    fn is_interruption(&self) -> bool {
        *self == Self::EINTR
    }
}

impl SystemError for io::Error {
    fn is_interruption(&self) -> bool {
        self.kind() == ErrorKind::Interrupted
    }
}

/// Makes the call again until it is not interrupted. Not for `connect()`: the second call would find the connection
/// that the first one has begun.
pub fn retry<T, E: SystemError>(mut call: impl FnMut() -> Result<T, E>) -> Result<T, E> {
    loop {
        match call() {
            Err(error) if error.is_interruption() => {}
            result => return result,
        }
    }
}

/// The same for a call on a socket with a time limit. An interruption after `limit` counts as the end of that time,
/// which the kernel calls `EAGAIN`.
pub fn retry_within<T>(limit: Option<Duration>, mut call: impl FnMut() -> nix::Result<T>) -> nix::Result<T> {
    let start = Instant::now();
    retry(|| match call() {
        Err(Errno::EINTR) if limit.is_some_and(|limit| start.elapsed() >= limit) => Err(Errno::EAGAIN),
        result => result,
    })
}

/// Connects. After an interruption the kernel goes on connecting
/// ([`connect()`](https://pubs.opengroup.org/onlinepubs/9799919799/functions/connect.html)), so this waits for the
/// end of that, for as long as the socket's time limit for sending allows.
pub fn connect(socket: &Socket, to: &SockAddr) -> io::Result<()> {
    match socket.connect(to) {
        Err(error) if error.is_interruption() => wait_connected(socket, socket.write_timeout()?),
        result => result,
    }
}

/// Waits until the kernel has connected the socket or has failed to.
pub fn wait_connected(socket: &Socket, limit: Option<Duration>) -> io::Result<()> {
    if poll(&mut [PollFd::new(socket.as_fd(), PollFlags::POLLOUT)], limit)? == 0 {
        return Err(Errno::ETIMEDOUT.into());
    }
    socket.take_error()?.map_or(Ok(()), Err)
}

/// `poll()`, for at most `limit` in all. How many of `fds` are ready.
pub fn poll(fds: &mut [PollFd<'_>], limit: Option<Duration>) -> nix::Result<c_int> {
    let start = Instant::now();
    retry(|| nix::poll::poll(fds, remaining(start, limit, PollTimeout::NONE)))
}

/// `epoll_wait()`, for at most `limit` in all. How many events there are.
pub fn epoll_wait(epoll: &Epoll, events: &mut [EpollEvent], limit: Option<Duration>) -> nix::Result<usize> {
    let start = Instant::now();
    retry(|| epoll.wait(events, remaining(start, limit, EpollTimeout::NONE)))
}

/// What is left of `limit`, in whole milliseconds. Rounded up, so that nothing ends too soon.
fn remaining<T: TryFrom<Duration>>(start: Instant, limit: Option<Duration>, without_limit: T) -> T {
    let Some(limit) = limit else { return without_limit };
    let left = limit.saturating_sub(start.elapsed());
    let whole = Duration::from_millis(left.as_micros().div_ceil(1000).try_into().unwrap_or(u64::MAX));
    T::try_from(whole).unwrap_or(without_limit)
}
