// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Other system calls that no crate in use wraps: namespaces, sockets, descriptors of other processes.
//! It knows nothing of pods or policies.

use std::{
    io,
    os::fd::{AsRawFd, OwnedFd, RawFd},
};

use nix::libc;

use super::{bpf::owned, interrupted::retry};

/// The cookie of the network namespace that a socket was made in (`SO_NETNS_COOKIE`, Linux 5.14).
pub(crate) fn netns_cookie(socket: &impl AsRawFd) -> io::Result<u64> {
    const SO_NETNS_COOKIE: libc::c_int = 71;
    let mut cookie = 0_u64;
    let mut length: libc::socklen_t = 8;
    // SAFETY: the kernel writes at most `length` bytes into `cookie`.
    let result = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            SO_NETNS_COOKIE,
            (&raw mut cookie).cast(),
            &raw mut length,
        )
    };
    if result == 0 { Ok(cookie) } else { Err(io::Error::last_os_error()) }
}

/// An option of a socket that takes and gives plain bytes. All of them are written, or it is an error
/// ([`UnexpectedEof`](io::ErrorKind::UnexpectedEof)).
pub(crate) fn getsockopt(socket: &impl AsRawFd, level: i32, option: i32, bytes: &mut [u8]) -> io::Result<()> {
    let mut length = libc::socklen_t::try_from(bytes.len()).map_err(io::Error::other)?;
    // SAFETY: the kernel reads and writes at most `length` bytes of `bytes`.
    let result =
        unsafe { libc::getsockopt(socket.as_raw_fd(), level, option, bytes.as_mut_ptr().cast(), &raw mut length) };
    match result {
        0 if usize::try_from(length).is_ok_and(|length| length == bytes.len()) => Ok(()),
        0 => Err(io::ErrorKind::UnexpectedEof.into()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// The user namespace that owns a namespace (`NS_GET_USERNS`, Linux 4.9; not from within a user namespace below it).
pub(crate) fn owning_user_namespace(namespace: &impl AsRawFd) -> io::Result<OwnedFd> {
    const NS_GET_USERNS: libc::Ioctl = 0xb701;
    // SAFETY: takes no argument.
    owned(unsafe { libc::ioctl(namespace.as_raw_fd(), NS_GET_USERNS) }.into())
}

/// A duplicate of another process's file descriptor (`pidfd_getfd`, Linux 5.6; needs `CAP_SYS_PTRACE`).
pub(crate) fn borrow_fd(pid: i32, fd: RawFd) -> io::Result<OwnedFd> {
    // SAFETY: takes no pointers.
    let process = owned(unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) })?;
    // SAFETY: takes no pointers.
    owned(unsafe { libc::syscall(libc::SYS_pidfd_getfd, process.as_raw_fd(), fd, 0) })
}

/// How many bytes a socket has to read (`FIONREAD`).
pub(crate) fn bytes_to_read(socket: &impl AsRawFd) -> io::Result<i32> {
    let mut bytes: libc::c_int = 0;
    // SAFETY: the kernel writes an int.
    let result = unsafe { libc::ioctl(socket.as_raw_fd(), libc::FIONREAD, &raw mut bytes) };
    if result == 0 { Ok(bytes) } else { Err(io::Error::last_os_error()) }
}

/// Whether `poll` says that a socket has something to read.
pub(crate) fn is_readable(socket: &impl AsRawFd) -> io::Result<bool> {
    let mut entry = libc::pollfd { fd: socket.as_raw_fd(), events: libc::POLLIN, revents: 0 };
    retry(|| {
        // SAFETY: the kernel reads and writes one entry.
        let result = unsafe { libc::poll(&raw mut entry, 1, 0) };
        if result >= 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    })?;
    Ok(entry.revents & libc::POLLIN != 0)
}

/// Brings up `lo` in the calling thread's network namespace, where it is down at first.
pub(crate) fn bring_loopback_up() -> io::Result<()> {
    let socket = std::net::UdpSocket::bind((std::net::Ipv4Addr::UNSPECIFIED, 0))?;
    // SAFETY: all bytes zero is a valid `struct ifreq`.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    request.ifr_name[0] = libc::c_char::try_from(b'l').unwrap_or_default();
    request.ifr_name[1] = libc::c_char::try_from(b'o').unwrap_or_default();
    request.ifr_ifru.ifru_flags = libc::c_short::try_from(libc::IFF_UP).unwrap_or_default();
    // SAFETY: the kernel reads the name and the flags, both of which are set.
    let result = unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCSIFFLAGS, &raw const request) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
