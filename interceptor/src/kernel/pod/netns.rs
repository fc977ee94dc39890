// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A pod's network namespace, and how to do something inside it. It never refers to the namespace by its name again
//! once it is open.

use std::{
    fs::File,
    io::ErrorKind,
    net::{Ipv4Addr, UdpSocket},
    os::{fd::OwnedFd, unix::fs::MetadataExt as _},
    path::Path,
};

use anyhow::{Context as _, Result, anyhow};
use nix::sched::{CloneFlags, setns};

use crate::{EnrollError, kernel::sys};

/// The initial network namespace, by its cookie: cookies count from one, and it is the first
/// ([`net_namespace.c`](https://github.com/torvalds/linux/blob/v6.12/net/core/net_namespace.c#L432)).
const HOST_COOKIE: u64 = 1;
/// The same, by its inode number. Since Linux 6.18 cookies count over namespaces of all kinds
/// ([`nsfs.h`](https://github.com/torvalds/linux/blob/v6.18/include/uapi/linux/nsfs.h)).
const HOST_INODE: u64 = 0xefff_fff9;

/// A pod's network namespace.
#[derive(Debug)]
pub struct Netns {
    name: String,
    file: File,
    inode: u64,
    cookie: u64,
}

impl Netns {
    /// Opens a namespace file, such as `/proc/<pid>/ns/net` or `/run/netns/<name>`. The host's own is refused. Needs
    /// `CAP_SYS_ADMIN`, unless the namespace is this process's own. Linux 5.14.
    pub fn open(path: &Path) -> Result<Self, EnrollError> {
        let name = path.display().to_string();
        match sys::named_file::open(path) {
            Ok(file) => Self::of(file, name).map_err(EnrollError::from),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                Err(EnrollError::Gone { what: "network namespace", name })
            }
            Err(error) => {
                let error = anyhow::Error::new(error);
                Err(error.context(format!("Failed to open the network namespace {name}")).into())
            }
        }
    }

    /// The namespace of a descriptor, as a container runtime's plugin hands it over. Otherwise as [`Self::open`].
    pub fn from_fd(fd: OwnedFd) -> Result<Self, EnrollError> {
        let file = File::from(fd);
        let name = format!("net:[{}]", inode_of(&file)?);
        Ok(Self::of(file, name)?)
    }

    fn of(file: File, name: String) -> Result<Self> {
        let inode = inode_of(&file)?;
        let cookie = inside(&file, &name, || {
            let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).context("Failed to make a socket")?;
            sys::netns_cookie(&socket).context("Failed to ask for the namespace's cookie (SO_NETNS_COOKIE, Linux 5.14)")
        })??;
        // The kernel programs ask the kernel, and refuse the host's namespace as well.
        if cookie == HOST_COOKIE || inode == HOST_INODE {
            return Err(EnrollError::HostNamespace { name }.into());
        }
        Ok(Self { name, file, inode, cookie })
    }

    /// The cookie of the namespace. It is never reused while the node is up.
    pub fn cookie(&self) -> u64 {
        self.cookie
    }

    /// The inode number of the namespace, as `ls -i /proc/<pid>/ns/net` shows it.
    pub fn inode(&self) -> u64 {
        self.inode
    }

    /// What messages call the namespace: the path that it was opened by, or `net:[INODE]`.
    pub fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn file(&self) -> &File {
        &self.file
    }

    /// Whether this process lives in the namespace.
    pub fn is_own(&self) -> Result<bool, EnrollError> {
        let own = std::fs::metadata("/proc/self/ns/net").context("Failed to look at /proc/self/ns/net")?;
        Ok(own.ino() == self.inode)
    }

    /// Does something in the namespace.
    pub(crate) fn run<T: Send>(&self, work: impl FnOnce() -> T + Send) -> Result<T> {
        inside(&self.file, &self.name, work)
    }

    /// The texts of files that differ from namespace to namespace.
    pub(crate) fn read_files(&self, paths: &[&str]) -> Result<Vec<String>> {
        let read = |path: &&str| std::fs::read_to_string(path).with_context(|| format!("Failed to read {path}"));
        self.run(|| paths.iter().map(read).collect())?
    }
}

/// Runs `work` in the namespace. It runs on a thread of its own, because the threads of a process may be in different
/// namespaces. If the namespace is this process's own, it runs on the calling thread, which takes no privilege.
fn inside<T: Send>(namespace: &File, name: &str, work: impl FnOnce() -> T + Send) -> Result<T> {
    let inode = |metadata: std::fs::Metadata| metadata.ino();
    if namespace.metadata().map(inode).ok() == std::fs::metadata("/proc/thread-self/ns/net").map(inode).ok() {
        return Ok(work());
    }
    std::thread::scope(|scope| {
        let worker = scope.spawn(|| {
            setns(namespace, CloneFlags::CLONE_NEWNET).map_err(|errno| match errno {
                nix::Error::EPERM => anyhow!(errno).context(format!(
                    "Failed to enter the network namespace {name}, which needs CAP_SYS_ADMIN"
                )),
                nix::Error::EINVAL => EnrollError::NotANamespace { name: name.to_owned() }.into(),
                errno => anyhow!(errno).context(format!("Failed to enter the network namespace {name}")),
            })?;
            Ok(work())
        });
        worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

fn inode_of(file: &File) -> Result<u64> {
    Ok(file.metadata().context("Failed to look at a network namespace")?.ino())
}
