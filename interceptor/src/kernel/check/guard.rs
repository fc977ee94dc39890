// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Whether this kernel can guard the interfaces of a pod, found out by trying. Nothing that the test attaches stays.

use anyhow::{Result, bail};

use crate::kernel::{
    node::{bpffs::Bpffs, guard, pinned::PinnedNode},
    pod::netns::Netns,
    programs::object,
};

/// Attaches the guard to `lo` of the calling thread's network namespace, for a moment.
pub(crate) fn test() -> Result<()> {
    object::load_guard(&mut object::load_unpinned([])?)
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
