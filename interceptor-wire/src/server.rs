// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The agent's side of a connection. It works on a socket that blocks, and on one that does not: then the error is
//! [`io::ErrorKind::WouldBlock`], and the same call is made again when the socket is ready.

use std::{
    io::{self, IoSliceMut},
    mem::MaybeUninit,
    os::fd::{AsFd, OwnedFd},
};

use nix::sys::socket::{getsockopt, sockopt::PeerCredentials};
use rustix::{
    cmsg_space,
    io::{ioctl_fionbio, retry_on_intr},
    net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendFlags, recv, recvmsg, send},
};

use crate::{
    Answer, Descriptors, MAX_DESCRIPTORS, MAX_MESSAGE, Malformed, Request,
    message::{read_request, write_answer},
};

/// A request, and the files that came with it. They are closed on `exec`, and when this is dropped.
#[derive(Debug)]
pub struct Received {
    pub request: Request,
    pub descriptors: Descriptors<OwnedFd>,
}

/// Receives the request of a connection.
///
/// The outer error is the socket's: a peer that goes without a word is [`io::ErrorKind::UnexpectedEof`]. The inner
/// error is the peer's, who can still be [answered](send_answer). Whatever was wrong, descriptors that came are closed.
pub fn receive(socket: impl AsFd) -> io::Result<Result<Received, Malformed>> {
    let mut bytes = vec![0; MAX_MESSAGE];
    let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(MAX_DESCRIPTORS))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let received = retry_on_intr(|| {
        let mut parts = [IoSliceMut::new(&mut bytes)];
        recvmsg(socket.as_fd(), &mut parts, &mut control, RecvFlags::CMSG_CLOEXEC)
    })?;
    let descriptors = control.drain().flat_map(|message| match message {
        RecvAncillaryMessage::ScmRights(files) => files.collect(),
        _ => Vec::new(), // only a socket that asked for them gets others
    });
    let descriptors: Vec<OwnedFd> = descriptors.collect();
    if received.bytes == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    if received.flags.contains(ReturnFlags::TRUNC) {
        return Ok(Err(Malformed::TooLong));
    }
    if received.flags.contains(ReturnFlags::CTRUNC) || descriptors.len() > MAX_DESCRIPTORS {
        return Ok(Err(Malformed::TooManyDescriptors));
    }
    Ok(understand(&bytes[..received.bytes], descriptors))
}

fn understand(bytes: &[u8], files: Vec<OwnedFd>) -> Result<Received, Malformed> {
    let (request, named) = read_request(bytes)?;
    let came = files.len();
    let descriptors = (named.len() == came)
        .then(|| Descriptors::of(named.iter().copied().zip(files)))
        .flatten();
    match descriptors {
        Some(descriptors) => Ok(Received { request, descriptors }),
        None => Err(Malformed::OtherDescriptors { named, came }),
    }
}

/// Whether a peer that waits for its answer has said more, or has gone. As long as it waits, the error is
/// [`io::ErrorKind::WouldBlock`]; never is waited here.
pub fn heard_from(socket: impl AsFd) -> io::Result<()> {
    let mut byte = [0_u8];
    retry_on_intr(|| recv(socket.as_fd(), &mut byte[..], RecvFlags::PEEK | RecvFlags::DONTWAIT))?;
    Ok(())
}

/// Sends the answer. An answer longer than [`MAX_MESSAGE`] is [`io::ErrorKind::InvalidInput`], and nothing is sent.
pub fn send_answer(socket: impl AsFd, answer: &Answer) -> io::Result<()> {
    let bytes = write_answer(answer).map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
    retry_on_intr(|| send(socket.as_fd(), &bytes, SendFlags::NOSIGNAL))?;
    Ok(())
}

/// The user who made the peer's end, as this process's user namespace calls him. Root of a namespace below is another
/// user.
pub fn peer_uid(socket: &impl AsFd) -> io::Result<u32> {
    // Not rustix's `socket_peercred`: there a process id is never 0, and this one is, if the peer's process is in a
    // PID namespace that is not visible here.
    Ok(getsockopt(socket, PeerCredentials)?.uid())
}

/// Whether calls on a socket return at once instead of waiting. For a [`Listener`](crate::Listener) and for what it
/// accepts; both block at first.
pub fn set_nonblocking(socket: impl AsFd, nonblocking: bool) -> io::Result<()> {
    Ok(ioctl_fionbio(socket, nonblocking)?)
}
