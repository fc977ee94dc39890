// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The socket at which the agent listens. It knows nothing of messages.

use std::{
    fs, io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    path::Path,
    process,
};

use rustix::{
    fs::{Mode, fchmod},
    io::retry_on_intr,
    net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, accept_with, bind, listen, socket_with},
};

/// Connections that wait to be accepted. Connecting blocks while there are more.
const BACKLOG: i32 = 256;

/// A listening socket that has a path.
#[derive(Debug)]
pub struct Listener {
    socket: OwnedFd,
}

impl Listener {
    /// Listens at `path`, for this user and root only. What was there before is replaced at one instant, so a client
    /// always finds one of the two. The directory has to be one that nobody else may write to; it is not checked.
    pub fn bind(path: &Path) -> io::Result<Self> {
        let socket = socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
        // bind() gives the file the mode of the socket, so nobody else can connect at any moment
        // (https://github.com/torvalds/linux/blob/v6.12/net/unix/af_unix.c#L1207).
        fchmod(&socket, Mode::RUSR | Mode::WUSR)?;
        let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?.display();
        let new = path.with_file_name(format!(".{name}.{}", process::id()));
        // Of a process of this number that was killed at this very place.
        remove(&new)?;
        bind(&socket, &SocketAddrUnix::new(&new)?)?;
        let listening = listen(&socket, BACKLOG).map_err(io::Error::from);
        if let Err(error) = listening.and_then(|()| fs::rename(&new, path)) {
            remove(&new)?;
            return Err(error);
        }
        Ok(Self { socket })
    }

    /// The next connection. It blocks, and is closed on `exec`. The error is [`io::ErrorKind::WouldBlock`] if there is
    /// none and the listener [does not block](crate::set_nonblocking).
    pub fn accept(&self) -> io::Result<OwnedFd> {
        Ok(retry_on_intr(|| accept_with(&self.socket, SocketFlags::CLOEXEC))?)
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl From<Listener> for OwnedFd {
    fn from(listener: Listener) -> Self {
        listener.socket
    }
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
