// SPDX-License-Identifier: Apache-2.0 OR MIT
use std::{
    fs::File,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, UdpSocket},
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, anyhow, bail};
use nix::{
    ifaddrs::getifaddrs,
    net::if_::if_nametoindex,
    sched::{CloneFlags, setns},
};

use crate::kernel::{pod::id_maps, pod::routes, sys};
use interceptor_config::{IdMaps, InterfaceFacts, PodFacts};

/// The initial network namespace, by its cookie: cookies count from one, and it is the first
/// ([`net_namespace.c`](https://github.com/torvalds/linux/blob/v6.12/net/core/net_namespace.c#L432)).
const HOST_COOKIE: u64 = 1;
/// The same, by its inode number, since Linux 6.18, where cookies count over namespaces of all kinds
/// ([`nsfs.h`](https://github.com/torvalds/linux/blob/v6.18/include/uapi/linux/nsfs.h)).
const HOST_INODE: u64 = 0xefff_fff9;

/// A pod's network namespace.
#[derive(Debug)]
pub struct Netns {
    path: PathBuf,
    file: File,
    inode: u64,
    cookie: u64,
}

impl Netns {
    /// Opens a namespace file, such as `/proc/<pid>/ns/net` or `/run/netns/<name>`. The host's own is refused.
    pub fn open(path: &Path) -> Result<Self> {
        let file = File::open(path)
            .with_context(|| format!("Failed to open the network namespace {} (--netns)", path.display()))?;
        let inode = file
            .metadata()
            .with_context(|| format!("Failed to look at {}", path.display()))?
            .ino();
        let cookie = inside(&file, path, || {
            let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).context("Failed to make a socket")?;
            sys::netns_cookie(&socket).context("Failed to ask for the namespace's cookie (SO_NETNS_COOKIE, Linux 5.14)")
        })??;
        // The kernel programs ask the kernel, and refuse it as well.
        if cookie == HOST_COOKIE || inode == HOST_INODE {
            bail!(
                "{} is the host's own network namespace; intercepting it would cut off the node. Run this inside the pod, or name the \
                 pod's namespace with --netns",
                path.display()
            );
        }
        Ok(Self { path: path.to_path_buf(), file, inode, cookie })
    }

    /// Never reused while the node is up.
    pub fn cookie(&self) -> u64 {
        self.cookie
    }

    /// The inode number of the namespace, as `ls -i /proc/<pid>/ns/net` shows it.
    pub fn inode(&self) -> u64 {
        self.inode
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn file(&self) -> &File {
        &self.file
    }

    /// Whether this process lives in it.
    pub fn is_own(&self) -> Result<bool> {
        let own = std::fs::metadata("/proc/self/ns/net").context("Failed to look at /proc/self/ns/net")?;
        Ok(own.ino() == self.inode)
    }

    /// Does something in the namespace.
    pub(crate) fn run<T: Send>(&self, work: impl FnOnce() -> T + Send) -> Result<T> {
        inside(&self.file, &self.path, work)
    }

    /// The texts of files that differ from namespace to namespace.
    pub(crate) fn read_files(&self, paths: &[&str]) -> Result<Vec<String>> {
        self.run(|| {
            paths
                .iter()
                .map(|path| std::fs::read_to_string(path).with_context(|| format!("Failed to read {path}")))
                .collect()
        })?
    }

    /// The interfaces, addresses and routes that the rules depend on.
    pub fn facts(&self) -> Result<PodFacts> {
        let ids = self.id_maps()?;
        let facts = self.run(read_facts)?;
        let facts = facts.with_context(|| format!("Failed to read the addresses of {}", self.path.display()))?;
        let (routes, rules) =
            routes::read(self).with_context(|| format!("Failed to read the routes of {}", self.path.display()))?;
        Ok(PodFacts { routes, rules, ids, ..facts })
    }

    /// How its users and groups are numbered.
    pub fn id_maps(&self) -> Result<IdMaps> {
        id_maps::id_maps(&self.file)
    }
}

/// Runs `work` in the namespace: on a thread of its own, because threads of a process may be in different ones; or
/// right here, which takes no privilege, when it is this process's own.
fn inside<T: Send>(namespace: &File, path: &Path, work: impl FnOnce() -> T + Send) -> Result<T> {
    let inode = |metadata: std::fs::Metadata| metadata.ino();
    if namespace.metadata().map(inode).ok() == std::fs::metadata("/proc/thread-self/ns/net").map(inode).ok() {
        return Ok(work());
    }
    std::thread::scope(|scope| {
        let worker = scope.spawn(|| {
            setns(namespace, CloneFlags::CLONE_NEWNET).map_err(|errno| match errno {
                nix::Error::EPERM => anyhow!(
                    "Failed to enter the network namespace {}: {errno}; this needs CAP_SYS_ADMIN",
                    path.display()
                ),
                nix::Error::EINVAL => anyhow!("{} is not a network namespace (--netns)", path.display()),
                errno => anyhow!("Failed to enter the network namespace {}: {errno}", path.display()),
            })?;
            Ok(work())
        });
        worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

fn read_facts() -> Result<PodFacts> {
    let mut interfaces: Vec<InterfaceFacts> = Vec::new();
    for entry in getifaddrs().context("Failed to list the interfaces")? {
        let known = interfaces.iter().position(|interface| interface.name == entry.interface_name);
        let known = if let Some(known) = known {
            known
        } else {
            let index = if_nametoindex(entry.interface_name.as_str());
            let index = index.with_context(|| format!("Failed to find the interface {}", entry.interface_name))?;
            interfaces.push(InterfaceFacts { name: entry.interface_name, index, addresses: Vec::new() });
            interfaces.len() - 1
        };
        let Some(storage) = entry.address else { continue }; // an interface without an address of any kind
        let address = if let Some(v4) = storage.as_sockaddr_in() {
            IpAddr::V4(v4.ip())
        } else if let Some(v6) = storage.as_sockaddr_in6() {
            IpAddr::V6(v6.ip())
        } else {
            continue; // a link-layer address
        };
        interfaces[known].addresses.push(address);
    }
    let source_v4 = source_toward(Ipv4Addr::UNSPECIFIED.into(), Ipv4Addr::new(192, 0, 2, 1).into());
    let source_v6 = source_toward(
        Ipv6Addr::UNSPECIFIED.into(),
        Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1).into(),
    );
    // A pod without a default route reaches its neighbors from its first address.
    let outward = interfaces
        .iter()
        .filter(|interface| !interface.addresses.iter().any(IpAddr::is_loopback));
    let mut addresses = outward.flat_map(|interface| &interface.addresses).copied();
    let first_v4 = addresses.clone().find(IpAddr::is_ipv4);
    let first_v6 = addresses.find(|ip| matches!(ip, IpAddr::V6(v6) if !v6.is_unicast_link_local()));
    Ok(PodFacts {
        source_v4: source_v4.or(first_v4).and_then(as_v4),
        source_v6: source_v6.or(first_v6).and_then(as_v6),
        interfaces,
        ..PodFacts::default()
    })
}

const fn as_v4(ip: IpAddr) -> Option<Ipv4Addr> {
    match ip {
        IpAddr::V4(v4) => Some(v4),
        IpAddr::V6(_) => None,
    }
}

const fn as_v6(ip: IpAddr) -> Option<Ipv6Addr> {
    match ip {
        IpAddr::V4(_) => None,
        IpAddr::V6(v6) => Some(v6),
    }
}

/// The source address that the kernel would give to a connection to the outside; connecting a UDP socket asks and sends
/// nothing. None without a route.
fn source_toward(any: IpAddr, documentation_address: IpAddr) -> Option<IpAddr> {
    let socket = UdpSocket::bind((any, 0)).ok()?;
    socket.connect((documentation_address, 9)).ok()?;
    Some(socket.local_addr().ok()?.ip())
}
