// SPDX-License-Identifier: Apache-2.0 OR MIT
use anyhow::{Result, bail};

use crate::kernel::{node::bpffs::Bpffs, node::pinned::Node, pod::netns::Netns};
use interceptor_config::CompiledPolicy;

/// The policy that is in force in a pod, read back from the kernel.
pub fn in_force(bpffs: &Bpffs, netns: &Netns) -> Result<CompiledPolicy> {
    let enrollment = match Node::open(bpffs)? {
        Some(node) => node.tables.pod(netns.cookie())?.map(|enrollment| (node, enrollment)),
        None => None,
    };
    let Some((node, enrollment)) = enrollment else {
        bail!(
            "{} is not enrolled; `interceptor status` lists the pods that are",
            netns.path().display()
        );
    };
    Ok(CompiledPolicy {
        policy: enrollment.policy,
        ..node.tables.read_lists(enrollment.policy.generation)?
    })
}
