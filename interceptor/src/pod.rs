// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A pod, as every front end names it: by paths, by descriptors, or as the pod that this process lives in.

use std::{os::fd::OwnedFd, path::Path};

use anyhow::Context as _;
use interceptor_config::{IdMaps, PodFacts};

use crate::{
    Cgroup, EnrollError, IstioRules, Netns, Process,
    kernel::{
        pod::{facts, id_maps, istio_rules, members, number},
        programs::lookup_stub,
    },
};

/// A pod: its network namespace, and the cgroup above those of its containers. Both stay open, so neither name can
/// come to mean something else meanwhile.
#[derive(Debug)]
pub struct Pod {
    netns: Netns,
    cgroup: Cgroup,
}

impl Pod {
    /// From what is open already.
    pub const fn new(netns: Netns, cgroup: Cgroup) -> Self {
        Self { netns, cgroup }
    }

    /// From paths such as `/run/netns/web` and `/sys/fs/cgroup/kubepods/pod1234`.
    pub fn open(netns: &Path, cgroup: &Path) -> Result<Self, EnrollError> {
        Ok(Self::new(Netns::open(netns)?, Cgroup::open(cgroup)?))
    }

    /// From descriptors of a network namespace and of a cgroup's directory, as they travel by `SCM_RIGHTS`.
    pub fn from_fds(netns: OwnedFd, cgroup: OwnedFd) -> Result<Self, EnrollError> {
        Ok(Self::new(Netns::from_fd(netns)?, Cgroup::from_fd(cgroup)?))
    }

    /// The processes of the pod's network namespace that are not in its cgroup, as far as `/proc` shows them here.
    /// What they connect to is not intercepted.
    pub fn outsiders(&self) -> Result<Vec<Process>, EnrollError> {
        Ok(members::outsiders(self.netns.inode(), self.cgroup.path())?)
    }

    pub const fn netns(&self) -> &Netns {
        &self.netns
    }

    pub const fn cgroup(&self) -> &Cgroup {
        &self.cgroup
    }
}

impl Netns {
    /// The interfaces, addresses, routes and id maps that a policy depends on.
    pub fn facts(&self) -> Result<PodFacts, EnrollError> {
        Ok(facts::read(self)?)
    }

    /// The rules of Istio that redirect connections in this namespace, if there are any. Enrolling such a pod would
    /// redirect connections twice.
    pub fn istio_rules(&self) -> Result<Option<IstioRules>, EnrollError> {
        Ok(istio_rules::found(self)?)
    }

    /// Whether kernel programs of any version redirect what comes to this namespace, whichever BPF file system holds
    /// them. Enrolling such a pod from another one would redirect connections twice. Linux 5.9.
    pub fn has_programs(&self) -> Result<bool, EnrollError> {
        let attached = lookup_stub::is_attached(self.file());
        Ok(attached.with_context(|| format!("Failed to ask which programs are attached to {}", self.name()))?)
    }

    /// The number that the network namespace of this thread has for this one, and by which the kernel tells there what
    /// changes in this one (`NETLINK_LISTEN_ALL_NSID`). Gives it one if it has none, which needs `CAP_NET_ADMIN`.
    pub fn number(&self) -> Result<i32, EnrollError> {
        Ok(number::number(self)?)
    }

    /// How the user namespace that owns this network namespace numbers users and groups.
    pub fn id_maps(&self) -> Result<IdMaps, EnrollError> {
        Ok(id_maps::id_maps(self.file())?)
    }
}
