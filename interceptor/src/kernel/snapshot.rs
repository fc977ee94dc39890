// SPDX-License-Identifier: Apache-2.0 OR MIT
use anyhow::{Result, bail};

use super::{bpffs::Bpffs, netns::Netns, node::Node};
use crate::policy::CompiledPolicy;

/// The policy that is in force in a pod, read back from the kernel.
pub fn in_force(bpffs: &Bpffs, netns: &Netns) -> Result<CompiledPolicy> {
    let enrolment = match Node::open(bpffs)? {
        Some(node) => node.tables.pod(netns.cookie())?.map(|enrolment| (node, enrolment)),
        None => None,
    };
    let Some((node, enrolment)) = enrolment else {
        bail!("{} is not enrolled; `interceptor status` lists the pods that are", netns.path().display());
    };
    Ok(CompiledPolicy { policy: enrolment.policy, ..node.tables.read_lists(enrolment.policy.generation)? })
}
