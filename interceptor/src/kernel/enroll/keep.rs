// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Keeping the programs and shared maps of a node loaded while no pod is enrolled, so that no pod has to wait for the
//! verifier. A mark among the pins says so. It outlives whoever set it.

use std::time::Duration;

use anyhow::Result;
use interceptor_policy::ABI_VERSION;

use crate::kernel::{
    enroll::execute::what_is_lacking,
    node::{bpffs::Bpffs, layout::Layout, lock::Lock, pinned::PinnedNode, removal, staging::Staged},
    sys::tree::{create_directory, remove_tree},
};

/// Loads what is not there, and keeps it from now on. Other versions are no longer kept.
pub(crate) fn keep(bpffs: &Bpffs, wait: Duration) -> Result<()> {
    let kept = load_and_mark(bpffs, wait);
    if kept.is_err() {
        // The first error is the one to report.
        let _removed = bpffs.home().remove_if_empty();
    }
    kept
}

fn load_and_mark(bpffs: &Bpffs, wait: Duration) -> Result<()> {
    loop {
        let staged = match PinnedNode::open(bpffs)? {
            Some(_) => None,
            // The verifier takes a while, so this is done before the lock is taken.
            None => Some(Staged::load(bpffs).map_err(|error| what_is_lacking(bpffs, error))?),
        };
        let lock = Lock::take(&bpffs.home(), wait)?;
        removal::finish(bpffs, &lock)?;
        match (PinnedNode::open(bpffs)?, staged) {
            (Some(node), _) => create_directory(&node.layout.kept())?,
            (None, Some(staged)) => {
                create_directory(&staged.layout().kept())?;
                staged.publish(bpffs, &lock)?;
            }
            (None, None) => continue, // its last pod went meanwhile
        }
        return release_versions(bpffs, &lock, |version| version != ABI_VERSION);
    }
}

/// Keeps no version any more. What has no pods goes.
pub(crate) fn release(bpffs: &Bpffs, wait: Duration) -> Result<()> {
    let home = bpffs.home();
    if !home.exists()? {
        return Ok(());
    }
    let lock = Lock::take(&home, wait)?;
    removal::finish(bpffs, &lock)?;
    if let Some(mut node) = PinnedNode::open(bpffs)? {
        node.collect_garbage()?;
    }
    release_versions(bpffs, &lock, |_version| true)?;
    home.remove_if_empty()
}

/// Whether this version is kept.
pub(crate) fn is_kept(bpffs: &Bpffs) -> Result<bool> {
    Ok(bpffs.home().exists()? && bpffs.layout().kept().exists())
}

fn release_versions(bpffs: &Bpffs, lock: &Lock, which: impl Fn(u32) -> bool) -> Result<()> {
    let home = bpffs.home();
    let versions = home.names()?.into_iter();
    let versions = versions.filter_map(|name| name.strip_prefix('v')?.parse().ok());
    let kept = |layout: &Layout| layout.kept().exists();
    for layout in versions
        .filter(|version| which(*version))
        .map(|version| home.layout(version))
        .filter(kept)
    {
        remove_tree(&layout.kept())?;
        if !removal::has_pods(&layout)? {
            removal::remove_version(bpffs, lock, &layout)?;
        }
    }
    Ok(())
}
