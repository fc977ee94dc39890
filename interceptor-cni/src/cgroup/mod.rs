// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The pod's cgroup, of which all its containers' are children. When a runtime calls ADD, none of them is there yet.
//!
//! It is found by the path that the runtime hands over, else by the pod's UID, in the cgroup2 file systems of this
//! process's mount namespace. What is absent or ambiguous is an error. It is made only where nobody else makes it in
//! time: see [`hybrid`].

mod hybrid;
pub(crate) mod names;
pub(crate) mod tree;
mod wanted;

use std::{os::fd::OwnedFd, path::PathBuf};

use rustix::fs::fstat;

use crate::error::{CniError, code};
use names::{candidates, is_systemd};
use tree::{Tree, Version, trees};
pub(crate) use wanted::Wanted;

#[derive(Debug)]
pub(crate) struct PodCgroup {
    pub(crate) path: PathBuf,
    pub(crate) directory: OwnedFd,
}

/// A directory in one of the trees.
struct Match<'a> {
    tree: &'a Tree,
    relative: String,
    directory: OwnedFd,
}

/// Finds the pod's cgroup, or makes it where that is the plugin's to do.
pub(crate) fn find(wanted: &Wanted<'_>) -> Result<PodCgroup, CniError> {
    let candidates = candidates(wanted.cgroup_path, wanted.uid, wanted.root)?;
    let trees = trees()?;
    let [version1, mut version2] = [Version::V1, Version::V2].map(|version| of_version(&trees, version));
    // Others may have mounted the same hierarchy elsewhere.
    version2.sort_by_key(|tree| !hybrid::is_joined(tree));
    if version2.is_empty() {
        return Err(CniError::new(
            code::CGROUP,
            "No cgroup2 file system is mounted on this node, and interception needs one; \
             `interceptor check` tells more",
        ));
    }
    let mut found = search(&version2, &candidates)?;
    if found.len() > 1 {
        return Err(ambiguous(&found));
    }
    if let Some(Match { tree, relative, directory }) = found.pop() {
        let path = tree.path(&relative);
        if !is_hybrid(tree, &version1, &relative)? {
            return Ok(PodCgroup { path, directory });
        }
        // It was runc's or the plugin's, and is the plugin's to remove now.
        let directory = hybrid::make(tree, &relative, wanted)?;
        return Ok(PodCgroup { path, directory });
    }
    // Which of the hierarchies of version 1 it is in does not matter; its name does.
    let mut there = search(&version1, &candidates)?;
    there.sort_by(|one, other| one.relative.cmp(&other.relative));
    there.dedup_by(|one, other| one.relative == other.relative);
    if there.len() > 1 {
        return Err(ambiguous(&there));
    }
    match (there.pop(), version2.iter().find(|tree| hybrid::is_joined(tree))) {
        (Some(Match { relative, .. }), Some(tree)) if !is_systemd(&relative) => {
            let directory = hybrid::make(tree, &relative, wanted)?;
            Ok(PodCgroup { path: tree.path(&relative), directory })
        }
        _ => Err(absent(&version2, &candidates)),
    }
}

/// Removes what [`find`] made for this container, if nobody is in it. Returns whether there was such a directory.
pub(crate) fn release(wanted: &Wanted<'_>) -> Result<bool, CniError> {
    if wanted.cgroup_path.is_none() && wanted.uid.is_none() {
        return Ok(false);
    }
    let candidates = candidates(wanted.cgroup_path, wanted.uid, wanted.root)?;
    let mut released = false;
    for tree in trees()?.iter().filter(|tree| hybrid::is_joined(tree)) {
        for relative in candidates.iter().filter(|relative| !is_systemd(relative)) {
            released |= hybrid::remove(tree, relative, wanted)?;
        }
    }
    Ok(released)
}

fn of_version(trees: &[Tree], version: Version) -> Vec<&Tree> {
    trees.iter().filter(|tree| tree.version == version).collect()
}

/// All that match. One directory that is mounted at two places counts once.
fn search<'a>(trees: &[&'a Tree], candidates: &[String]) -> Result<Vec<Match<'a>>, CniError> {
    let mut found = Vec::new();
    let mut seen = Vec::new();
    for tree in trees {
        for relative in candidates {
            let Some(directory) = tree.open(relative)? else { continue };
            let stat = fstat(&directory).map_err(|error| tree.failed("look at", relative, error))?;
            let id = (stat.st_dev, stat.st_ino);
            if !seen.contains(&id) {
                seen.push(id);
                found.push(Match { tree, relative: relative.clone(), directory });
            }
        }
    }
    Ok(found)
}

/// Whether kubelet keeps the pod's cgroup in another hierarchy than cgroup2.
fn is_hybrid(tree: &Tree, version1: &[&Tree], relative: &String) -> Result<bool, CniError> {
    Ok(hybrid::is_joined(tree)
        && !is_systemd(relative)
        && !search(version1, std::slice::from_ref(relative))?.is_empty())
}

fn absent(version2: &[&Tree], candidates: &[String]) -> CniError {
    let places = version2
        .iter()
        .flat_map(|tree| candidates.iter().map(|relative| tree.path(relative)));
    let places: Vec<String> = places.map(|path| path.display().to_string()).collect();
    CniError::new(
        code::CGROUP,
        format!(
            "The pod's cgroup is not at any of {} places, such as {}; kubelet tries again; name kubelet's \
             --cgroup-root as cgroup_root in the plugin's configuration, or use a runtime that hands cgroupPath over",
            places.len(),
            places.first().map_or("", String::as_str)
        ),
    )
    .details(format!("tried: {}", places.join(", ")))
}

fn ambiguous(found: &[Match<'_>]) -> CniError {
    let places: Vec<String> = found
        .iter()
        .map(|found| found.tree.path(&found.relative).display().to_string())
        .collect();
    CniError::new(
        code::CGROUP,
        format!(
            "The pod's cgroup is not known: {} directories have its UID, {}; remove those that are left over",
            places.len(),
            places.join(" and ")
        ),
    )
}
