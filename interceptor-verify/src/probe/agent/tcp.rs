// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A connection, and the first line that the server says.

use std::{
    io::{BufReader, Write as _},
    os::fd::AsFd as _,
    time::Duration,
};

use nix::{
    errno::Errno,
    poll::{PollFd, PollFlags},
    sys::socket::{setsockopt, sockopt::TcpFastOpenConnect},
    unistd::geteuid,
};
use socket2::Socket;

use super::{
    request::{QUESTION, in_family, set},
    uring::Ring,
};
use crate::{
    messages::{Failure, Greeting, How, Report, Request},
    probe::{Step, failure, look, receive, wait_connected},
    retry::{self, SystemError as _, retry},
};

pub(super) fn converse(request: &Request, ring: Option<&mut Ring>, socket: Socket, report: &mut Report) -> Step<()> {
    // Nothing of it remains: the next connection may have the same ports.
    set(socket.set_linger(Some(Duration::ZERO)))?;
    connect(request, ring, &socket)?;
    *report = look(&socket);
    greet_itself(&socket, report)?;
    report.received = Some(receive(&mut BufReader::new(socket))?);
    Ok(())
}

/// Who is connected to itself is its own server.
fn greet_itself(mut socket: &Socket, report: &Report) -> Step<()> {
    let (Some(local), Some(peer)) = (report.local, report.peer) else {
        return Ok(());
    };
    if local != peer {
        return Ok(());
    }
    let greeting = Greeting {
        name: "itself".to_owned(),
        uid: geteuid().as_raw(),
        local,
        peer,
        original_destination: None,
        levels: Vec::new(),
    };
    let line = serde_json::to_string(&greeting).map_err(|error| failure("send", &error.into()))? + "\n";
    socket.write_all(line.as_bytes()).map_err(|error| failure("send", &error))
}

fn connect(request: &Request, ring: Option<&mut Ring>, socket: &Socket) -> Step<()> {
    let to = in_family(request, request.to);
    let connected = || retry::connect(socket, &to).map_err(|error| failure("connect", &error));
    match request.how {
        How::Nonblocking => {
            set(socket.set_nonblocking(true))?;
            match connected() {
                Err(Failure { errno, .. }) if errno == "ETIMEDOUT" => wait_connected(socket, request.limit)?,
                other => other?,
            }
            set(socket.set_nonblocking(false))
        }
        How::Polled => {
            set(socket.set_nonblocking(true))?;
            poll_connected(request, socket, connected)?;
            set(socket.set_nonblocking(false))
        }
        How::Uring => match ring {
            Some(ring) => ring.connect(socket, to, request.limit),
            None => Err(failure("connect", &Errno::ENOSYS.into())),
        },
        How::FastOpen => {
            match socket.send_to_with_flags(QUESTION, &to, nix::libc::MSG_FASTOPEN) {
                // Whether the question has been sent does not matter: the server speaks first.
                Err(error) if error.is_interruption() => retry::wait_connected(socket, Some(request.limit)),
                sent => sent.map(drop),
            }
            .map_err(|error| failure("connect", &error))
        }
        How::FastOpenConnect => {
            set(setsockopt(socket, TcpFastOpenConnect, &true).map_err(Into::into))?;
            connected()?;
            // Where the server's cookie is known, only this connects.
            retry(|| socket.send(QUESTION))
                .map(drop)
                .map_err(|error| failure("connect", &error))
        }
        How::Tcp | How::Mptcp | How::Udp | How::Sendto => connected(),
    }
}

/// Calls `connect` until it has succeeded, and once more.
fn poll_connected(request: &Request, socket: &Socket, connect: impl Fn() -> Step<()>) -> Step<()> {
    loop {
        match connect() {
            Ok(()) => break,
            // It has just begun.
            Err(Failure { errno, .. }) if errno == "ETIMEDOUT" => {}
            Err(Failure { errno, .. }) if errno == "EALREADY" => {
                let mut fds = [PollFd::new(socket.as_fd(), PollFlags::POLLOUT)];
                let ready = retry::poll(&mut fds, Some(request.limit));
                if ready.map_err(|error| failure("connect", &error.into()))? == 0 {
                    return Err(failure("connect", &Errno::ETIMEDOUT.into()));
                }
            }
            Err(failure) => return Err(failure),
        }
    }
    match connect() {
        Err(Failure { errno, .. }) if errno == "EISCONN" => Ok(()),
        other => Err(Failure { step: "connect again".to_owned(), errno: format!("{other:?}") }),
    }
}
