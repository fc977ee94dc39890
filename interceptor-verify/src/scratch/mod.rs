// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Where a comparison takes place: file systems, a cgroup and network namespaces that nobody else sees.
//!
//! The file systems are in a mount namespace of the calling thread, and the network namespaces have no names. So the
//! kernel takes all of that away with the last process, however that ends. Only the cgroup has to be removed: the drop
//! does it, and after a SIGKILL the next comparison.

mod cgroup;
mod mounts;
mod place;
mod process;

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, ensure};
use nix::unistd::geteuid;

use self::{cgroup::OwnCgroup, mounts::Mounts};
pub use self::{
    place::{Place, Who},
    process::{Talker, run},
};

/// The programs that a comparison starts.
#[derive(Clone, Debug)]
pub struct Programs {
    /// The loader, `interceptor`.
    pub interceptor: PathBuf,
    /// `interceptor-verify`, which is also its own client and server.
    pub verify: PathBuf,
}

/// Everything that one comparison leaves in the kernel. All of it goes with the value.
pub struct Scratch {
    programs: Programs,
    patience: Duration,
    // Dropped in this order: what is attached to the cgroup is pinned on the mounts.
    cgroup: OwnCgroup,
    mounts: Mounts,
}

impl Scratch {
    /// Takes the calling thread to a mount namespace of its own, in which it stays: children are to be started from
    /// it. `patience` is how long any program may take to answer, far longer than it needs.
    pub fn new(programs: Programs, patience: Duration) -> anyhow::Result<Self> {
        ensure!(
            geteuid().is_root(),
            "this needs root: it makes network namespaces and a cgroup, and loads kernel programs; in a pod, \
             `securityContext: {{ privileged: true }}`"
        );
        ensure!(
            Path::new("/proc/sys/net/ipv6").exists(),
            "this kernel has no IPv6 (ipv6.disable=1?), and the pods that are compared have addresses of both families"
        );
        let mounts = Mounts::new()?;
        let cgroup = OwnCgroup::new(&mounts.cgroups())?;
        Ok(Self { programs, patience, cgroup, mounts })
    }

    /// Where the loader pins.
    pub fn bpffs(&self) -> PathBuf {
        self.mounts.bpffs()
    }

    /// A directory for small files.
    pub fn files(&self) -> PathBuf {
        self.mounts.files()
    }

    /// How long a program may take to answer.
    pub const fn patience(&self) -> Duration {
        self.patience
    }

    pub(crate) const fn programs(&self) -> &Programs {
        &self.programs
    }

    /// A network namespace, and a cgroup of this name for the processes in it.
    pub(crate) fn place(&self, name: &str) -> anyhow::Result<Place> {
        let cgroup = self.cgroup.below(name)?;
        Place::new(name, cgroup, &self.programs.verify, self.patience).with_context(|| format!("make {name}"))
    }
}
