// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Sidecars that listened before their pod was enrolled: the kernel's callback for `listen()` will not come again.

use std::{
    collections::HashSet,
    os::fd::{AsFd as _, OwnedFd, RawFd},
};

use anyhow::{Context as _, Result};
use interceptor_policy::{LISTENERS_PER_KIND, ListenerFamily, ListenerKey, ListenerScope, Owner, ProxyListener};
use nix::libc::{EBADF, ESRCH};
use socket2::{Protocol, SockRef};

use crate::kernel::{
    node::maps::Maps,
    pod::netns::Netns,
    pod::process::{Credentials, OpenProcess},
    pod::sock_diag::{self, Found},
    sys,
    sys::{
        map_error::{absent_is_fine, is_existing},
        pod_type::Raw,
    },
};
use interceptor_config::CompiledPolicy;

/// Records the sockets of the sidecar that already listen on its ports. Returns how many there were.
///
/// Sockets of processes that this one cannot see (another PID namespace) cannot be had; a warning says so. The inode
/// numbers of all sockets that were looked at are added to `known`, and what is known is not looked at.
pub(crate) fn adopt(maps: &mut Maps, netns: &Netns, policy: &CompiledPolicy, known: &mut HashSet<u64>) -> Result<u32> {
    let mut adopted = 0;
    let listening: Vec<Found> = sock_diag::listening_tcp(netns)?
        .into_iter()
        .filter(|listening| policy.policy.is_proxy_port(listening.port) && known.insert(listening.inode))
        .collect();
    if listening.is_empty() {
        return Ok(0);
    }
    let processes = processes_of(netns)?;
    for Found { inode, port } in listening {
        match find_socket(&processes, inode, policy)? {
            Holder::Sidecar(socket, _) if is_mptcp(&socket)? => tracing::warn!(
                port,
                "a socket listens on the sidecar's port by MPTCP, and no connection can be given to it: connections \
                 are refused until the sidecar listens again, with a TCP socket; restart the sidecar"
            ),
            Holder::Sidecar(socket, _) => {
                record(maps, netns, policy, port, &socket)?;
                adopted += 1;
            }
            Holder::Foreign => tracing::debug!(port, "a process that is not the sidecar listens on its port"),
            Holder::Invisible => tracing::warn!(
                port,
                "a socket listens on the sidecar's port already, but its process is not visible from here: connections \
                 are refused until the sidecar listens again; restart the sidecar"
            ),
        }
    }
    Ok(adopted)
}

fn is_mptcp(socket: &OwnedFd) -> Result<bool> {
    let protocol = SockRef::from(socket).protocol();
    Ok(protocol.context("Failed to ask a listening socket for its protocol")? == Some(Protocol::MPTCP))
}

fn record(maps: &mut Maps, netns: &Netns, policy: &CompiledPolicy, port: u16, socket: &OwnedFd) -> Result<()> {
    const BPF_NOEXIST: u64 = 1;
    let bound = SockRef::from(socket)
        .local_addr()
        .context("Failed to ask a listening socket for its address")?;
    let bound = bound.as_socket().context("A listening TCP socket has no IP address")?;
    let scope = ListenerScope::of(bound.ip().into());
    if policy.policy.marks_listener(port) {
        maps.proxy_sockets
            .insert(socket, Raw(ProxyListener { port: port.into() }), 0)
            .context("Failed to mark a listening socket")?;
    }
    let family = if bound.is_ipv6() { ListenerFamily::V6 } else { ListenerFamily::V4 };
    let mut key = ListenerKey::new(netns.cookie(), port, scope, family, 0);
    for index in 0..LISTENERS_PER_KIND {
        key.index = index;
        match maps.listeners.insert(Raw(key), socket.as_fd(), BPF_NOEXIST) {
            Ok(()) => return Ok(()),
            Err(error) if is_existing(&error) => {}
            Err(error) => return Err(error).context("Failed to record a listening socket"),
        }
    }
    // As when a sidecar listens later: those that listened first are kept, and the last one.
    absent_is_fine(maps.listeners.remove(&Raw(key))).context("Failed to forget a listening socket")?;
    match maps.listeners.insert(Raw(key), socket.as_fd(), BPF_NOEXIST) {
        // Otherwise one that began to listen this moment has taken the place.
        Err(error) if !is_existing(&error) => Err(error).context("Failed to record a listening socket"),
        _ => Ok(()),
    }
}

/// Who has a socket.
pub(super) enum Holder {
    /// The sidecar, which also made it.
    Sidecar(OwnedFd, Owner),
    /// Somebody else, or the sidecar has what somebody else made.
    Foreign,
    /// No process that is visible here.
    Invisible,
}

/// The processes of a network namespace that are visible here.
pub(super) fn processes_of(netns: &Netns) -> Result<Vec<OpenProcess>> {
    let all = OpenProcess::all()?;
    Ok(all.filter(|process| process.namespace("net") == Some(netns.inode())).collect())
}

/// Who has the socket with this inode number.
///
/// The rules are about whoever made the socket, and nothing tells that later. The owner of the socket's file is not
/// enough: a member of the sidecar's group may give files to that group. So a process that has the socket must have
/// the credentials of the sidecar as well. It could then make such a socket itself.
pub(super) fn find_socket(processes: &[OpenProcess], inode: u64, policy: &CompiledPolicy) -> Result<Holder> {
    let classify = |Credentials { fsuid, fsgid }| Owner::classify(fsuid, fsgid, &policy.policy, policy);
    let mut holder = Holder::Invisible;
    for process in processes {
        for fd in process.descriptors_of(inode) {
            let Some((socket, owner)) = borrow(process, fd, inode)? else {
                continue; // closed meanwhile
            };
            let Some(credentials) = process.credentials() else {
                continue; // ended meanwhile
            };
            let owner = classify(owner);
            if owner.is_proxy() && classify(credentials).is_proxy() {
                tracing::debug!(pid = process.pid, fd, "found a socket of the sidecar");
                return Ok(Holder::Sidecar(socket, owner));
            }
            holder = Holder::Foreign;
        }
    }
    Ok(holder)
}

/// A duplicate of a process's socket, and who owns the socket's file. `None` if the process has closed it, or has
/// ended.
fn borrow(process: &OpenProcess, fd: RawFd, inode: u64) -> Result<Option<(OwnedFd, Credentials)>> {
    let pid = process.pid;
    let socket = match sys::borrow_fd(pid, fd) {
        Ok(socket) => socket,
        Err(error) if matches!(error.raw_os_error(), Some(ESRCH | EBADF)) => return Ok(None),
        Err(error) => {
            return Err(error).with_context(|| {
                format!("Failed to borrow a socket of process {pid} (pidfd_getfd, which needs CAP_SYS_PTRACE)")
            });
        }
    };
    let owner = nix::sys::stat::fstat(&socket).context("Failed to look at a socket")?;
    // Another file may have got the number of the descriptor, and another process the number of the process.
    let same = owner.st_ino == inode && process.is_there();
    Ok(same.then_some((socket, Credentials { fsuid: owner.st_uid, fsgid: owner.st_gid })))
}

#[cfg(test)]
mod tests {
    use std::{net::TcpListener, os::fd::AsRawFd as _, process::Command};

    use super::*;

    fn open(pid: u32) -> OpenProcess {
        OpenProcess::all()
            .unwrap()
            .find(|process| process.pid == pid.cast_signed())
            .unwrap()
    }

    fn inode(listener: &TcpListener) -> u64 {
        nix::sys::stat::fstat(listener).unwrap().st_ino
    }

    #[test]
    fn what_is_gone_when_it_is_borrowed_is_no_error() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (own, fd, inode) = (open(std::process::id()), listener.as_raw_fd(), inode(&listener));
        assert!(borrow(&own, fd, inode).unwrap().is_some());
        assert!(borrow(&own, fd, inode + 1).unwrap().is_none(), "another file has the number");
        assert!(borrow(&own, i32::MAX, inode).unwrap().is_none(), "no file has the number");

        let mut child = Command::new("sleep").arg("60").spawn().unwrap();
        let process = open(child.id());
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(borrow(&process, fd, inode).unwrap().is_none(), "the process has ended");
    }
}
