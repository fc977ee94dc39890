// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What is known of the pod whose cgroup is wanted.

use std::path::Path;

use interceptor_wire::{ContainerId, PodUid};

/// Whose cgroup is wanted, and for whom.
#[derive(Clone, Copy)]
pub(crate) struct Wanted<'a> {
    /// `runtimeConfig.cgroupPath`.
    pub(crate) cgroup_path: Option<&'a str>,
    pub(crate) uid: Option<&'a PodUid>,
    /// kubelet's `--cgroup-root`.
    pub(crate) root: Option<&'a str>,
    pub(crate) container_id: &'a ContainerId,
    pub(crate) run_dir: &'a Path,
}
