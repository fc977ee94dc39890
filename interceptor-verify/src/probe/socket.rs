// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What can be asked of a client's socket, and what is heard on it.

use std::{
    io::{self, BufRead as _, BufReader, ErrorKind},
    net::{SocketAddr, UdpSocket},
    time::{Duration, Instant},
};

use nix::errno::Errno;
use socket2::{SockAddr, SockRef, Socket};

use crate::{
    messages::{Answer, Failure, Report},
    retry::{self, retry},
};

/// What went wrong, and where: the answer of a probe, not a failure of it.
pub type Step<T> = Result<T, Failure>;

/// `IP_TRANSPARENT`, of the family of `address`.
pub(super) fn set_transparent(socket: &Socket, address: SocketAddr) -> io::Result<()> {
    if address.is_ipv4() {
        socket.set_ip_transparent_v4(true)
    } else {
        socket.set_ip_transparent_v6(true)
    }
}

/// The addresses of a connected socket.
pub fn look(socket: &Socket) -> Report {
    let address = |result: io::Result<SockAddr>| result.ok().as_ref().and_then(SockAddr::as_socket);
    Report {
        local: address(socket.local_addr()),
        peer: address(socket.peer_addr()),
        original_destination: original_destination(socket),
        levels: levels(&SockRef::from(socket)).into(),
        ..Report::default()
    }
}

/// `SO_ORIGINAL_DST`, at the level of the family that knows the connection.
pub(super) fn original_destination(socket: &Socket) -> Option<SocketAddr> {
    socket.original_dst_v4().or_else(|_| socket.original_dst_v6()).ok()?.as_socket()
}

/// `SO_ORIGINAL_DST` at each of its two levels.
pub(super) fn levels(socket: &SockRef<'_>) -> [String; 2] {
    [socket.original_dst_v4(), socket.original_dst_v6()].map(|answer| match answer {
        Ok(address) => address
            .as_socket()
            .map_or_else(|| "not an IP address".to_owned(), |address| address.to_string()),
        Err(error) => errno(&error),
    })
}

pub fn failure(step: &str, error: &io::Error) -> Failure {
    let errno = errno(error);
    // With a timeout on the socket the kernel calls it EAGAIN or EINPROGRESS.
    let errno = if matches!(errno.as_str(), "EAGAIN" | "EINPROGRESS") {
        "ETIMEDOUT".to_owned()
    } else {
        errno
    };
    Failure { step: step.to_owned(), errno }
}

fn errno(error: &io::Error) -> String {
    error.raw_os_error().map_or_else(
        || format!("{:?}", error.kind()),
        |number| format!("{:?}", Errno::from_raw(number)),
    )
}

/// Waits until a non-blocking connect has succeeded or failed, and makes the socket block again.
pub fn wait_connected(socket: &Socket, limit: Duration) -> Step<()> {
    retry::wait_connected(socket, Some(limit)).map_err(|error| failure("connect", &error))?;
    socket.set_nonblocking(false).map_err(|error| failure("setsockopt", &error))
}

/// Receives a line, or what comes before the end. All of it may take as long as the socket's time limit says, however
/// often it is interrupted. (`read_line()` would begin that time anew after each signal.)
pub fn receive(stream: &mut BufReader<Socket>) -> Step<String> {
    let failed = |error: io::Error| failure("receive", &error);
    let limit = stream.get_ref().read_timeout().map_err(failed)?;
    let start = Instant::now();
    let mut line = Vec::new();
    while !line.ends_with(b"\n") {
        let left = limit.map(|limit| limit.saturating_sub(start.elapsed()));
        let filled = || {
            Ok(stream
                .fill_buf()
                .map_err(|error| Errno::try_from(error).unwrap_or(Errno::EIO))?
                .len())
        };
        if retry::retry_within(left, filled).map_err(|errno| failed(errno.into()))? == 0 {
            break;
        }
        let buffer = stream.buffer();
        let count = buffer
            .iter()
            .position(|byte| *byte == b'\n')
            .map_or(buffer.len(), |newline| newline + 1);
        line.extend_from_slice(&buffer[..count]);
        stream.consume(count);
    }
    if line.is_empty() {
        return Err(Failure { step: "receive".to_owned(), errno: "EOF".to_owned() });
    }
    let line = String::from_utf8(line).map_err(|error| failed(io::Error::new(ErrorKind::InvalidData, error)))?;
    Ok(line.trim_end_matches('\n').to_owned())
}

/// Receives a datagram.
pub fn receive_datagram(socket: &UdpSocket) -> io::Result<Answer> {
    let mut answer = [0; 2048];
    let (count, from) = retry(|| socket.recv_from(&mut answer))?;
    Ok(Answer { from, received: String::from_utf8_lossy(&answer[..count]).trim_end().to_owned() })
}
