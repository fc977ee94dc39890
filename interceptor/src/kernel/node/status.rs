// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Reading the state of the node.

use std::path::PathBuf;

use anyhow::Result;
use interceptor_policy::{Enrollment, Reason};

use crate::kernel::{node::bpffs::Bpffs, node::links, node::pinned::Node, pod::cgroup};

/// An enrolled pod.
#[derive(Clone, Debug)]
pub struct PodState {
    /// The cookie of its network namespace.
    pub cookie: u64,
    pub enrollment: Enrollment,
    /// Its cgroup, if that is still there and visible.
    pub cgroup: Option<PathBuf>,
    /// Whether its network namespace still exists.
    pub alive: bool,
    /// The programs that are attached.
    pub attached: Vec<&'static str>,
    /// The programs that should be attached and are not.
    pub missing: Vec<&'static str>,
    /// How often each reason was counted; those that never were are left out.
    pub counters: Vec<(Reason, u64)>,
}

/// All enrolled pods, the oldest network namespace first.
pub fn list(bpffs: &Bpffs) -> Result<Vec<PodState>> {
    let Some(node) = Node::open(bpffs)? else { return Ok(Vec::new()) };
    let mut pods = node.tables.pods()?;
    pods.sort_by_key(|(cookie, _)| *cookie);
    pods.into_iter()
        .map(|(cookie, enrollment)| {
            let directory = node.pod_directory(cookie);
            let (attached, missing) = links::attached_and_missing(&directory, &enrollment.policy);
            Ok(PodState {
                cookie,
                enrollment,
                cgroup: cgroup::path_of(enrollment.cgroup_id),
                alive: !links::namespace_is_gone(&directory)?,
                attached,
                missing,
                counters: node.tables.reasons(cookie)?,
            })
        })
        .collect()
}

/// How often each reason was counted in the pod, those that never were left out; nothing if it is not enrolled.
pub fn counters(bpffs: &Bpffs, cookie: u64) -> Result<Vec<(Reason, u64)>> {
    Node::open(bpffs)?.map_or_else(|| Ok(Vec::new()), |node| node.tables.reasons(cookie))
}
