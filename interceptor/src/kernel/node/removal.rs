// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Removing pins: those of this version when the last pod goes and no agent keeps them, those of all versions when
//! that is asked for, and what a run left that was killed. Only what is ours is removed, and no symbolic link is
//! followed.

use std::fs;

use anyhow::{Context as _, Result};

use crate::kernel::{
    node::{bpffs::Bpffs, builds::pins, layout::Layout, lock::Lock, moving, staging},
    programs::lookup_stub,
    sys::tree::{is_ours, remove_tree},
};

/// What is moved to a name that begins so is going to be removed. A run that is killed leaves all of it, or nothing.
const RETIRED: &str = "retired-";

/// Removes all pins of a version that has no pod any more, unless it is kept. Other versions may have pods.
pub(crate) fn remove_unless_kept(bpffs: &Bpffs, lock: &Lock, layout: &Layout) -> Result<()> {
    if layout.kept().exists() {
        Ok(())
    } else {
        remove_version(bpffs, lock, layout)
    }
}

/// Removes all pins of a version that has no pod, whether it is kept or not.
pub(crate) fn remove_version(bpffs: &Bpffs, lock: &Lock, layout: &Layout) -> Result<()> {
    match layout.root().file_name().and_then(|name| name.to_str()) {
        Some(name) if layout.root().exists() => {
            retire(bpffs, name)?;
            finish(bpffs, lock).map(drop)
        }
        _ => Ok(()),
    }
}

/// Whether a version has pods. A pod's directory is made before the pod is in force, and goes after that.
pub(crate) fn has_pods(layout: &Layout) -> Result<bool> {
    Ok(!pins(&layout.pods())?.is_empty())
}

/// Removes all pins, of all versions. Attachments end with their pins. Returns whether there were any.
pub(crate) fn remove_everything(bpffs: &Bpffs, lock: &Lock) -> Result<bool> {
    let home = bpffs.home();
    moving::finish(&home, lock)?;
    for name in home.names()? {
        if !name.starts_with(RETIRED) && !staging::is_staging(&name) {
            retire(bpffs, &name)?;
        }
    }
    finish(bpffs, lock)
}

/// At one instant, nothing is there any more.
fn retire(bpffs: &Bpffs, name: &str) -> Result<()> {
    let home = bpffs.home();
    let (from, to) = (home.path().join(name), home.path().join(format!("{RETIRED}{name}")));
    fs::rename(&from, &to).with_context(|| format!("Failed to move {}", from.display()))
}

/// Finishes a move to another version that a run began which was killed, and removes what it left to be removed.
/// Returns whether there was anything to remove.
pub(crate) fn finish(bpffs: &Bpffs, lock: &Lock) -> Result<bool> {
    let home = bpffs.home();
    moving::finish(&home, lock)?;
    let mut removed = finish_old(bpffs)?;
    for name in home.names()? {
        if name.starts_with(RETIRED) {
            remove_pins(&home.version(&name))?;
            removed = true;
        } else if staging::is_staging(&name) {
            staging::remove_if_abandoned(&home.path().join(&name))?;
        }
    }
    Ok(removed)
}

/// Up to ABI version 9, the directory of all versions was moved beside itself.
fn finish_old(bpffs: &Bpffs) -> Result<bool> {
    let path = bpffs.old_retired();
    let ours = fs::symlink_metadata(&path).is_ok_and(|metadata| metadata.is_dir() && is_ours(&metadata));
    if !ours {
        return Ok(false); // there is none, or somebody else's, which is none of our business
    }
    for entry in fs::read_dir(&path).with_context(|| format!("Failed to list {}", path.display()))? {
        let entry = entry.with_context(|| format!("Failed to list {}", path.display()))?;
        if entry
            .file_type()
            .with_context(|| format!("Failed to look at {}", entry.path().display()))?
            .is_dir()
        {
            remove_pins(&Layout::new(entry.path()))?;
        }
    }
    remove_tree(&path)
}

/// The links go first, because the programs that they attach need the rest.
fn remove_pins(layout: &Layout) -> Result<()> {
    remove_tree(&layout.pods())?;
    remove_tree(&layout.cgroups())?;
    lookup_stub::clear_tail_call_target(&layout.maps())?;
    remove_tree(layout.root()).map(drop)
}
