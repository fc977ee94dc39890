// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Sidecars that listened before their pod was enrolled: the kernel's callback for `listen()` will not come again.

use std::{
    fs,
    os::fd::{AsFd as _, AsRawFd as _, OwnedFd},
    path::Path,
};

use anyhow::{Context as _, Result};
use interceptor_policy::{LISTENERS_PER_KIND, ListenerFamily, ListenerKey, ListenerScope, Owner, ProxyListener};
use socket2::{Protocol, SockRef};

use crate::kernel::{
    node::maps::Maps,
    pod::netns::Netns,
    pod::sock_diag::{self, Listening},
    sys,
    sys::{
        map_error::{absent_is_fine, is_existing},
        pod_type::Raw,
    },
};
use interceptor_config::CompiledPolicy;

/// Records the sockets of the sidecar that already listen on its ports. Returns how many there were.
///
/// Sockets of processes that this one cannot see (another PID namespace) cannot be had; a warning says so.
pub(crate) fn adopt(maps: &mut Maps, netns: &Netns, policy: &CompiledPolicy) -> Result<u32> {
    let mut adopted = 0;
    let listening = sock_diag::sockets(netns)?;
    for Listening { inode, port } in listening
        .into_iter()
        .filter(|listening| policy.policy.is_proxy_port(listening.port))
    {
        let Some(socket) = find_socket(netns, inode)? else {
            tracing::warn!(
                port,
                "a socket listens on the sidecar's port already, but its process is not visible from here: connections \
                 are refused until the sidecar listens again; restart the sidecar"
            );
            continue;
        };
        if SockRef::from(&socket)
            .protocol()
            .context("Failed to ask a listening socket for its protocol")?
            == Some(Protocol::MPTCP)
        {
            tracing::warn!(
                port,
                "a socket listens on the sidecar's port by MPTCP, and no connection can be given to it: connections \
                 are refused until the sidecar listens again, with a TCP socket; restart the sidecar"
            );
            continue;
        }
        let maker = nix::sys::stat::fstat(&socket).context("Failed to look at a listening socket")?;
        if Owner::classify(maker.st_uid, maker.st_gid, &policy.policy, policy).is_proxy() {
            record(maps, netns, policy, port, &socket)?;
            adopted += 1;
        }
    }
    Ok(adopted)
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
    for index in (0..).take(LISTENERS_PER_KIND as usize) {
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

/// A descriptor of the socket with this inode number, from whichever visible process of the namespace has one.
fn find_socket(netns: &Netns, inode: u64) -> Result<Option<OwnedFd>> {
    let name = format!("socket:[{inode}]");
    for process in fs::read_dir("/proc").context("Failed to list /proc")? {
        let process = process.context("Failed to list /proc")?.path();
        let Some(pid) = process
            .file_name()
            .and_then(|name| name.to_str())
            .and_then(|name| name.parse::<i32>().ok())
        else {
            continue;
        };
        // A process may end at any moment; then it has no socket either.
        let Ok(namespace) = fs::read_link(process.join("ns/net")) else { continue };
        if namespace.as_os_str() != format!("net:[{}]", netns.inode()).as_str() {
            continue;
        }
        let Ok(descriptors) = fs::read_dir(process.join("fd")) else { continue };
        for descriptor in descriptors.flatten() {
            if fs::read_link(descriptor.path()).is_ok_and(|target| target == Path::new(&name))
                && let Some(fd) = descriptor.file_name().to_str().and_then(|name| name.parse().ok())
            {
                let socket = sys::borrow_fd(pid, fd);
                let socket = socket
                    .with_context(|| format!("Failed to borrow a listening socket of process {pid} (pidfd_getfd)"))?;
                tracing::debug!(pid, fd = socket.as_raw_fd(), "found the sidecar's listening socket");
                return Ok(Some(socket));
            }
        }
    }
    Ok(None)
}
