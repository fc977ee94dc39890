// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Ending the enrollment of one pod, or of all. Existing connections are kept; new ones are no longer redirected.

use std::time::Duration;

use anyhow::Result;

use crate::EnrollError;
use crate::kernel::node::{
    bpffs::{Bpffs, Home},
    lock::Lock,
    pinned::PinnedNode,
    removal,
};

/// Ends the enrollment of the pod with this cookie. Returns whether there was anything to end.
pub(crate) fn unenroll(bpffs: &Bpffs, netns_cookie: u64, wait: Duration) -> Result<bool> {
    let home = bpffs.home();
    if !is_there(&home)? {
        return Ok(false);
    }
    let lock = Lock::take(&home, wait)?;
    removal::finish(bpffs, &lock)?;
    let mut node = PinnedNode::open(bpffs)?;
    let existed = remove(bpffs, &lock, node.as_mut(), netns_cookie)?;
    home.remove_if_empty()?;
    Ok(existed)
}

/// Ends the enrollments of pods whose network namespace is gone, and removes what killed runs left. Returns the cookies
/// of these pods. With the last pod, everything of this version goes, unless it is kept.
pub(crate) fn collect_garbage(bpffs: &Bpffs, wait: Duration) -> Result<Vec<u64>> {
    let home = bpffs.home();
    if !is_there(&home)? {
        return Ok(Vec::new());
    }
    let lock = Lock::take(&home, wait)?;
    removal::finish(bpffs, &lock)?;
    let mut gone = Vec::new();
    if let Some(mut node) = PinnedNode::open(bpffs)? {
        gone = node.collect_garbage()?;
        if node.maps.pods()?.is_empty() {
            removal::remove_unless_kept(bpffs, &lock, &node.layout)?;
        }
    }
    home.remove_if_empty()?;
    Ok(gone)
}

/// Ends the enrollment of all pods of the node, and removes everything that any version has pinned.
pub(crate) fn unenroll_all(bpffs: &Bpffs, wait: Duration) -> Result<bool> {
    let home = bpffs.home();
    if !is_there(&home)? {
        return Ok(false);
    }
    let lock = Lock::take(&home, wait)?;
    if let Some(mut node) = PinnedNode::open(bpffs)? {
        // First the entries that put the programs in force, then the programs one by one.
        for (cookie, _) in node.maps.pods()? {
            node.maps.remove_pod(cookie)?;
        }
    }
    let existed = removal::remove_everything(bpffs, &lock)?;
    home.remove_if_empty()?;
    Ok(existed)
}

/// Whether there is anything of ours. What another user has put in its place is none of our business: no pod can be
/// enrolled there.
fn is_there(home: &Home) -> Result<bool> {
    match home.exists().map_err(EnrollError::from) {
        Err(error @ EnrollError::Untrusted { .. }) => {
            tracing::warn!("{error}; it is left alone");
            Ok(false)
        }
        there => Ok(there?),
    }
}

/// Removes one pod and, with the last pod, everything else of this version, unless it is kept.
pub(crate) fn remove(bpffs: &Bpffs, lock: &Lock, node: Option<&mut PinnedNode>, netns_cookie: u64) -> Result<bool> {
    let Some(node) = node else { return Ok(false) };
    let existed = node.maps.pod(netns_cookie)?.is_some() || node.layout.pod(netns_cookie).exists();
    if existed {
        node.remove_pod(netns_cookie)?;
    }
    if node.maps.pods()?.is_empty() {
        removal::remove_unless_kept(bpffs, lock, &node.layout)?;
    }
    Ok(existed)
}
