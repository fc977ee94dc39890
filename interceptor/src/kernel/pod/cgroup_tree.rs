// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Which cgroups are above and below another. The kernel runs the programs of all of them for one system call, so no
//! two of them may have ours. Nothing here changes a cgroup.

use std::{
    collections::HashSet,
    fs,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

use nix::sys::statfs::{CGROUP2_SUPER_MAGIC, statfs};

/// The first directory above or below a cgroup whose id is one of `ids`. Only what is mounted and visible here is
/// found.
pub(crate) fn relative(cgroup: &Path, ids: &HashSet<u64>) -> Option<PathBuf> {
    let above = cgroup.ancestors().skip(1).take_while(|directory| is_cgroup2(directory));
    let above = above.map(Path::to_path_buf).find(|directory| has_one_of(directory, ids));
    above.or_else(|| subtree(cgroup).into_iter().skip(1).find(|directory| has_one_of(directory, ids)))
}

/// A cgroup and all that are below it.
pub(crate) fn subtree(cgroup: &Path) -> Vec<PathBuf> {
    let mut found = vec![cgroup.to_path_buf()];
    let mut next = 0;
    while let Some(directory) = found.get(next) {
        let below = children(directory);
        found.extend(below);
        next += 1;
    }
    found
}

/// A cgroup may be removed at any moment. Then it has no children.
fn children(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    entries
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
        .map(|entry| entry.path())
        .collect()
}

fn has_one_of(directory: &Path, ids: &HashSet<u64>) -> bool {
    fs::symlink_metadata(directory).is_ok_and(|metadata| ids.contains(&metadata.ino()))
}

fn is_cgroup2(directory: &Path) -> bool {
    statfs(directory).is_ok_and(|kind| kind.filesystem_type() == CGROUP2_SUPER_MAGIC)
}
