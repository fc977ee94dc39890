// SPDX-License-Identifier: Apache-2.0 OR MIT
//! How a pod is called in what people read.

use std::{
    fs,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

use crate::{namespaces, records::PodName};

/// What people call a pod.
pub(super) fn name_of(pod: Option<&PodName>, netns: Option<&Path>, netns_inode: u64) -> String {
    let name = match netns {
        Some(path) => path.display().to_string(),
        None => format!("net:[{netns_inode}]"),
    };
    pod.map_or_else(|| name.clone(), |pod| format!("{pod} ({name})"))
}

/// The named network namespace with this inode number.
pub(super) fn path_of(inode: u64) -> Option<PathBuf> {
    // Numbers of inodes are only unique within a file system, and all namespaces are in the same one.
    let namespaces = fs::metadata("/proc/self/ns/net").ok()?.dev();
    let is_it = |path: &Path| fs::metadata(path).is_ok_and(|file| (file.dev(), file.ino()) == (namespaces, inode));
    let entries = fs::read_dir(namespaces::NAMED).ok()?;
    entries.filter_map(|entry| Some(entry.ok()?.path())).find(|path| is_it(path))
}
