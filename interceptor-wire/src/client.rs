// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The plugin's side of a connection: it blocks, and never longer than its caller allows.

use std::{
    fmt,
    io::{self, IoSlice},
    mem::MaybeUninit,
    os::fd::{AsFd as _, BorrowedFd, OwnedFd},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use rustix::{
    cmsg_space,
    io::Errno,
    net::{
        AddressFamily, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketAddrUnix, SocketFlags,
        SocketType, connect, recv, sendmsg, socket_with,
        sockopt::{Timeout, set_socket_timeout},
    },
};

use crate::{
    Answer, Descriptors, MAX_DESCRIPTORS, MAX_MESSAGE, Malformed, Request,
    message::{read_answer, write_request},
    server::peer_uid,
};

/// How long to wait before the next try to connect.
pub const CONNECT_RETRY: Duration = Duration::from_millis(100);

/// Why there is no answer.
#[derive(Debug)]
pub enum AskError {
    /// The socket is missing, or nobody listens, until the deadline.
    Unreachable { socket: PathBuf, cause: io::Error },
    /// Someone else's process listens: neither root's nor this user's.
    Foreign { socket: PathBuf, uid: u32 },
    /// The deadline passed.
    NoAnswer,
    /// The connection broke: the agent was stopped or refused this user.
    Lost(io::Error),
    /// The request is not fit to be sent, or the answer cannot be understood.
    Malformed(Malformed),
}

impl fmt::Display for AskError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable { socket, cause } => write!(formatter, "cannot connect to {}: {cause}", socket.display()),
            Self::Foreign { socket, uid } => write!(
                formatter,
                "user {uid} listens at {}; only root's agent is asked",
                socket.display()
            ),
            Self::NoAnswer => formatter.write_str("the agent accepted the connection and did not answer in time"),
            Self::Lost(cause) => write!(formatter, "the connection to the agent broke: {cause}"),
            Self::Malformed(cause) => cause.fmt(formatter),
        }
    }
}

impl std::error::Error for AskError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Unreachable { cause, .. } | Self::Lost(cause) => Some(cause),
            Self::Malformed(cause) => Some(cause),
            Self::Foreign { .. } | Self::NoAnswer => None,
        }
    }
}

/// For one request.
#[derive(Debug)]
pub struct Connection {
    socket: OwnedFd,
}

impl Connection {
    /// Connects to the agent that listens at `path`. While the socket is missing, or refuses, it tries again every
    /// [`CONNECT_RETRY`], until `deadline`: an agent that is restarted is back soon. It tries once at least.
    pub fn open(path: &Path, deadline: Instant) -> Result<Self, AskError> {
        let unreachable = |cause: Errno| AskError::Unreachable { socket: path.to_owned(), cause: cause.into() };
        let address = SocketAddrUnix::new(path).map_err(unreachable)?;
        let socket = loop {
            match try_connect(&address, deadline) {
                Ok(socket) => break socket,
                Err(Errno::NOENT | Errno::CONNREFUSED | Errno::INTR) if Instant::now() < deadline => pause(deadline),
                Err(cause) => return Err(unreachable(cause)),
            }
        };
        let uid = peer_uid(&socket).map_err(AskError::Lost)?;
        if uid == 0 || uid == rustix::process::geteuid().as_raw() {
            Ok(Self { socket })
        } else {
            Err(AskError::Foreign { socket: path.to_owned(), uid })
        }
    }

    /// Sends the request, and waits for the answer until `deadline`.
    pub fn ask(
        self,
        request: &Request,
        descriptors: &Descriptors<BorrowedFd<'_>>,
        deadline: Instant,
    ) -> Result<Answer, AskError> {
        let (names, files): (Vec<_>, Vec<_>) = descriptors.listed().unzip();
        let bytes = write_request(request, names.into_iter()).map_err(AskError::Malformed)?;
        self.send(&bytes, &files, deadline)?;
        self.receive(deadline)
    }

    fn send(&self, bytes: &[u8], files: &[BorrowedFd<'_>], deadline: Instant) -> Result<(), AskError> {
        let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(MAX_DESCRIPTORS))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        if !files.is_empty() && !control.push(SendAncillaryMessage::ScmRights(files)) {
            return Err(AskError::Malformed(Malformed::TooManyDescriptors));
        }
        self.until(deadline, Timeout::Send, || {
            sendmsg(&self.socket, &[IoSlice::new(bytes)], &mut control, SendFlags::NOSIGNAL)
        })?;
        Ok(())
    }

    fn receive(&self, deadline: Instant) -> Result<Answer, AskError> {
        let mut bytes = vec![0; MAX_MESSAGE];
        // With TRUNC the second number is the length of the message, even if only a part of it was taken.
        let (taken, length) =
            self.until(deadline, Timeout::Recv, || recv(&self.socket, &mut bytes[..], RecvFlags::TRUNC))?;
        if length == 0 {
            return Err(AskError::Lost(io::ErrorKind::UnexpectedEof.into()));
        }
        if length > taken {
            return Err(AskError::Malformed(Malformed::TooLong));
        }
        read_answer(&bytes[..taken]).map_err(AskError::Malformed)
    }

    /// Repeats a call that a signal interrupts, until the deadline.
    fn until<T>(
        &self,
        deadline: Instant,
        which: Timeout,
        mut call: impl FnMut() -> rustix::io::Result<T>,
    ) -> Result<T, AskError> {
        let lost = |cause: Errno| AskError::Lost(cause.into());
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(AskError::NoAnswer);
            }
            set_socket_timeout(&self.socket, which, Some(left)).map_err(lost)?;
            match call() {
                Ok(result) => return Ok(result),
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return Err(AskError::NoAnswer),
                Err(cause) => return Err(lost(cause)),
            }
        }
    }
}

fn try_connect(address: &SocketAddrUnix, deadline: Instant) -> rustix::io::Result<OwnedFd> {
    let socket = socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
    // It waits while the listener's queue is full. No time at all would mean no limit.
    let left = deadline.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
    set_socket_timeout(socket.as_fd(), Timeout::Send, Some(left))?;
    connect(&socket, address)?;
    Ok(socket)
}

#[expect(
    clippy::disallowed_methods,
    reason = "a socket that is missing or refuses tells nobody when it is back"
)]
fn pause(deadline: Instant) {
    std::thread::sleep(CONNECT_RETRY.min(deadline.saturating_duration_since(Instant::now())));
}
