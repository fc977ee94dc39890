// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Which cgroups are above and below another. The kernel runs the programs of all of them for one system call, so no
//! two of them may have ours. Nothing here changes a cgroup.

use std::{
    collections::HashSet,
    fs,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

use anyhow::{Result, bail};
use nix::sys::statfs::{CGROUP2_SUPER_MAGIC, statfs};

/// More than any pod needs. Whoever owns a cgroup may make as many below it as memory allows, and must not keep other
/// pods waiting.
const MAX_CGROUPS: usize = 4_096;

/// The first directory above or below a cgroup whose id is one of `ids`. Only what is mounted and visible here is
/// found. Fails as [`subtree`] does.
pub(crate) fn relative(cgroup: &Path, ids: &HashSet<u64>) -> Result<Option<PathBuf>> {
    let mut above = cgroup.ancestors().skip(1).take_while(|directory| is_cgroup2(directory));
    if let Some(found) = above.find(|directory| has_one_of(directory, ids)) {
        return Ok(Some(found.to_path_buf()));
    }
    Ok(subtree(cgroup)?
        .into_iter()
        .skip(1)
        .find(|directory| has_one_of(directory, ids)))
}

/// A cgroup and all that are below it. Fails if they are more than any pod needs.
pub(crate) fn subtree(cgroup: &Path) -> Result<Vec<PathBuf>> {
    let mut found = vec![cgroup.to_path_buf()];
    let mut next = 0;
    while let Some(directory) = found.get(next) {
        let below = children(directory);
        found.extend(below);
        if found.len() > MAX_CGROUPS {
            bail!(
                "{} has more than {MAX_CGROUPS} cgroups below it, too many to look at; remove those that are empty",
                cgroup.display()
            );
        }
        next += 1;
    }
    Ok(found)
}

/// Not all, where there are too many. A cgroup may be removed at any moment. Then it has no children.
fn children(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    entries
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
        .map(|entry| entry.path())
        .take(MAX_CGROUPS + 1)
        .collect()
}

fn has_one_of(directory: &Path, ids: &HashSet<u64>) -> bool {
    fs::symlink_metadata(directory).is_ok_and(|metadata| ids.contains(&metadata.ino()))
}

fn is_cgroup2(directory: &Path) -> bool {
    statfs(directory).is_ok_and(|kind| kind.filesystem_type() == CGROUP2_SUPER_MAGIC)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_without_end_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        for number in 0..MAX_CGROUPS - 1 {
            fs::create_dir(directory.path().join(number.to_string())).unwrap();
        }
        assert_eq!(subtree(directory.path()).unwrap().len(), MAX_CGROUPS);
        fs::create_dir_all(directory.path().join("0/one-more")).unwrap();
        let error = subtree(directory.path()).unwrap_err().to_string();
        assert!(error.contains("more than 4096 cgroups below it"), "{error}");
    }
}
