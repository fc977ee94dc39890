// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What the loader writes about a pod and about the node. No program writes these.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::policy::Policy;

/// How many pods can be enrolled on a node.
pub const MAX_PODS: usize = 4096;

/// A pod's entry in the map of pods: the policy, which the programs act on, and what the loader needs later. Both are
/// in one entry, so that both change at the same instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, Immutable, IntoBytes, KnownLayout)]
#[repr(C)]
pub struct Enrollment {
    pub policy: Policy,
    /// Tells whether a new configuration differs from this one.
    pub fingerprint: u64,
    /// Inode number of the network namespace.
    pub netns_inode: u64,
    /// Inode number of the cgroup, which is the cgroup's id.
    pub cgroup_id: u64,
    /// Entries in the address tries.
    pub addresses: u32,
    /// Entries in the trie of ports and ids.
    pub numbers: u32,
}

/// What the loader remembers between two runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, Immutable, IntoBytes, KnownLayout)]
#[repr(C)]
pub struct NodeState {
    /// The last [`Policy::generation`] that was given out.
    pub last_generation: u32,
    /// Not zero while the tries may hold entries that no pod refers to. A run that finds it so removes them first.
    pub unfinished: u32,
}
