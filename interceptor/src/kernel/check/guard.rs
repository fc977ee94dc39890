// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Whether this kernel can guard the interfaces of a pod, found out by trying. Nothing that the test attaches stays.

use std::os::fd::AsFd as _;

use anyhow::{Result, bail};
use interceptor_policy::LOOPBACK_INTERFACE;

use crate::kernel::{
    node::{bpffs::Bpffs, guard, pinned::PinnedNode},
    pod::netns::Netns,
    programs::{object, table::GUARD},
};

/// Attaches the guard to `lo` of the calling thread's network namespace, for a moment. With maps of its own, in which
/// no pod is enrolled, it lets everything pass.
pub(crate) fn test() -> Result<()> {
    let mut object = object::load_unpinned([GUARD])?;
    let program = GUARD.fd_in(&mut object)?;
    GUARD.attach_at_interface(&program.as_fd(), LOOPBACK_INTERFACE).map(drop)
}

/// Fails, saying why, if a pod of this node cannot be guarded.
pub(crate) fn gate(bpffs: &Bpffs, netns: &Netns) -> Result<()> {
    match PinnedNode::open(bpffs)? {
        Some(node) if guard::is_loaded(&node.layout) => Ok(()),
        None => netns.run(test)?,
        Some(_) => {
            netns.run(test)??;
            bail!("the programs of this node were loaded without it, by a run that could not load it")
        }
    }
}
