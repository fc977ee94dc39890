// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Sidecars that listened before their pod was enrolled: the kernel's callback for `listen()` will not come again.

use std::{
    fs,
    os::fd::{AsFd as _, AsRawFd as _, OwnedFd},
    path::Path,
};

use anyhow::{Context as _, Result};
use interceptor_policy::{LISTENERS_PER_PORT, ListenerKey, ListenerScope, Owner, ProxyListener};
use socket2::SockRef;

use super::{netns::Netns, raw::Raw, sys, tables::Tables};
use crate::policy::CompiledPolicy;

/// A listening TCP socket, as `/proc/net/tcp` shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Listening {
    inode: u64,
    port: u16,
}

/// Records the sockets of the sidecar that already listen on its ports. Returns how many there were.
///
/// Sockets of processes that this one cannot see (another PID namespace) cannot be had; a warning says so.
pub(super) fn adopt(tables: &mut Tables, netns: &Netns, policy: &CompiledPolicy) -> Result<u32> {
    let mut adopted = 0;
    for listening in listening_sockets(netns, policy)? {
        let Listening { inode, port } = listening;
        let Some(socket) = find_socket(netns, inode)? else {
            tracing::warn!(
                port,
                "a socket already listens on the sidecar's port, but its process is not visible from here: connections are refused until \
                 the sidecar listens anew; restart it"
            );
            continue;
        };
        let maker = nix::sys::stat::fstat(&socket).context("Failed to look at a listening socket")?;
        if Owner::classify(maker.st_uid, maker.st_gid, &policy.policy, policy).is_proxy() {
            record(tables, netns, port, &socket)?;
            adopted += 1;
        }
    }
    Ok(adopted)
}

fn record(tables: &mut Tables, netns: &Netns, port: u16, socket: &OwnedFd) -> Result<()> {
    const BPF_NOEXIST: u64 = 1;
    let bound = SockRef::from(socket).local_addr().context("Failed to ask a listening socket for its address")?;
    let bound = bound.as_socket().context("A listening TCP socket has no IP address")?;
    let scope = ListenerScope::of(bound.ip().into());
    tables.proxy_sockets.insert(socket, Raw(ProxyListener { port: port.into() }), 0).context("Failed to mark a listening socket")?;
    for index in 0..LISTENERS_PER_PORT {
        let key = Raw(ListenerKey::new(netns.cookie(), port, scope, index));
        match tables.listeners.insert(key, socket.as_fd(), BPF_NOEXIST) {
            Ok(()) => return Ok(()),
            Err(aya::maps::MapError::SyscallError(error)) if error.io_error.raw_os_error() == Some(nix::libc::EEXIST) => {}
            Err(error) => return Err(error).context("Failed to record a listening socket"),
        }
    }
    anyhow::bail!("More than {LISTENERS_PER_PORT} sockets listen on port {port}")
}

fn listening_sockets(netns: &Netns, policy: &CompiledPolicy) -> Result<Vec<Listening>> {
    let texts = netns.read_files(&["/proc/thread-self/net/tcp", "/proc/thread-self/net/tcp6"])?;
    Ok(texts.iter().flat_map(|text| parse(text)).filter(|listening| policy.policy.is_proxy_port(listening.port)).collect())
}

/// The listening sockets in the text of `/proc/net/tcp`
/// ([`proc_net_tcp.rst`](https://github.com/torvalds/linux/blob/v6.12/Documentation/networking/proc_net_tcp.rst)).
fn parse(text: &str) -> impl Iterator<Item = Listening> {
    const LISTEN: &str = "0A";
    text.lines().skip(1).filter_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let (local, state, inode) = (fields.get(1)?, fields.get(3)?, fields.get(9)?);
        let (_, port) = local.rsplit_once(':')?;
        (*state == LISTEN).then_some(Listening { inode: inode.parse().ok()?, port: u16::from_str_radix(port, 16).ok()? })
    })
}

/// A descriptor of the socket with this inode number, from whichever visible process of the namespace has one.
fn find_socket(netns: &Netns, inode: u64) -> Result<Option<OwnedFd>> {
    let name = format!("socket:[{inode}]");
    for process in fs::read_dir("/proc").context("Failed to list /proc")? {
        let process = process.context("Failed to list /proc")?.path();
        let Some(pid) = process.file_name().and_then(|name| name.to_str()).and_then(|name| name.parse::<i32>().ok()) else { continue };
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
                let socket = socket.with_context(|| format!("Failed to borrow a listening socket of process {pid} (pidfd_getfd)"))?;
                tracing::debug!(pid, fd = socket.as_raw_fd(), "found the sidecar's listening socket");
                return Ok(Some(socket));
            }
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_listening_sockets_are_found() {
        let text = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n\
   0: 00000000:3A9E 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1337        0 4711 1 0000 100 0 0 10 0\n\
   1: 0100007F:3A9E 0100007F:C350 01 00000000:00000000 00:00000000 00000000  1337        0 4712 1 0000 20 4 30 10 -1\n";
        assert_eq!(parse(text).collect::<Vec<_>>(), [Listening { inode: 4711, port: 15006 }]);
    }
}
