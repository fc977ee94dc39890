// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Where every pin is. Nobody else joins the parts of such a path. This file never looks whether anything is there.

use std::path::{Path, PathBuf};

/// The pins of one version of the ABI.
///
/// No name in a BPF file system may contain a dot
/// ([`bpf_lookup`](https://github.com/torvalds/linux/blob/v6.12/kernel/bpf/inode.c#L345)).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Layout {
    root: PathBuf,
}

impl Layout {
    pub(crate) const fn new(root: PathBuf) -> Self {
        Self { root }
    }

    /// The directory that holds all the others.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// The maps that all pods share.
    pub(crate) fn maps(&self) -> PathBuf {
        self.root.join("maps")
    }

    /// The programs that all pods share.
    pub(crate) fn programs(&self) -> PathBuf {
        self.root.join("programs")
    }

    /// Where the programs of another build wait to take the place of [`Self::programs`].
    pub(crate) fn programs_next(&self) -> PathBuf {
        self.root.join("programs-next")
    }

    /// The programs that were replaced last.
    pub(crate) fn programs_before(&self) -> PathBuf {
        self.root.join("programs-before")
    }

    /// Every directory of programs.
    pub(crate) fn all_programs(&self) -> [PathBuf; 6] {
        let acceleration = self.acceleration();
        [
            self.programs(),
            self.programs_next(),
            self.programs_before(),
            acceleration.programs(),
            acceleration.programs_next(),
            acceleration.programs_before(),
        ]
    }

    /// What a version of the ABI left whose pods this version took over: maps and programs.
    pub(crate) fn earlier(&self, version: u32) -> Self {
        Self { root: self.root.join(format!("earlier-v{version}")) }
    }

    /// Is there while links may have programs of the earlier version.
    pub(crate) fn taking_over(&self) -> PathBuf {
        self.root.join("taking-over")
    }

    /// The same, if this version is the one that was gone back to.
    pub(crate) fn going_back(&self) -> PathBuf {
        self.root.join("going-back")
    }

    /// Is there while the node agent keeps this version although no pod is enrolled.
    pub(crate) fn kept(&self) -> PathBuf {
        self.root.join("kept")
    }

    /// A directory for each pod's network namespace.
    pub(crate) fn pods(&self) -> PathBuf {
        self.root.join("pods")
    }

    /// What is attached to one network namespace.
    pub(crate) fn pod(&self, netns_cookie: u64) -> PathBuf {
        self.pods().join(netns_cookie.to_string())
    }

    /// A directory for each pod's cgroup.
    pub(crate) fn cgroups(&self) -> PathBuf {
        self.root.join("cgroups")
    }

    /// What is attached to one cgroup. The sandboxes of a pod, of which the old one may end after the new one began,
    /// have the same cgroup.
    pub(crate) fn cgroup(&self, cgroup_id: u64) -> PathBuf {
        self.cgroups().join(cgroup_id.to_string())
    }

    /// What exists while any pod is accelerated.
    pub(crate) fn acceleration(&self) -> AccelerationLayout {
        AccelerationLayout { root: self.root.join("acceleration") }
    }

    /// Where [`Self::acceleration`] is put together before it is renamed into place.
    pub(crate) fn acceleration_staging(&self) -> AccelerationLayout {
        AccelerationLayout { root: self.root.join("acceleration-new") }
    }

    /// All directories that have to be there before anything is pinned.
    pub(crate) fn directories(&self) -> [PathBuf; 4] {
        [self.maps(), self.programs(), self.pods(), self.cgroups()]
    }
}

/// The pins that exist while any pod is accelerated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AccelerationLayout {
    root: PathBuf,
}

impl AccelerationLayout {
    /// The directory that holds all the others.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// The maps of acceleration.
    pub(crate) fn maps(&self) -> PathBuf {
        self.root.join("maps")
    }

    /// The programs that are attached to the cgroups of accelerated pods.
    pub(crate) fn programs(&self) -> PathBuf {
        self.root.join("programs")
    }

    /// Where the programs of another build wait to take the place of [`Self::programs`].
    pub(crate) fn programs_next(&self) -> PathBuf {
        self.root.join("programs-next")
    }

    /// The programs that were replaced last.
    pub(crate) fn programs_before(&self) -> PathBuf {
        self.root.join("programs-before")
    }

    /// The links that belong to no pod.
    pub(crate) fn links(&self) -> PathBuf {
        self.root.join("links")
    }

    /// All directories that have to be there before anything is pinned.
    pub(crate) fn directories(&self) -> [PathBuf; 3] {
        [self.maps(), self.programs(), self.links()]
    }
}
