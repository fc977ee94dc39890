// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Processes that live in a pod's network namespace and not in its cgroup: the programs do not see what they connect
//! to. Only processes that `/proc` shows here are found.

use std::{
    collections::{HashMap, HashSet},
    fs,
    path::Path,
};

use anyhow::{Context as _, Result};
use nix::libc::{ENODEV, ENOENT, EOPNOTSUPP};

use crate::{Process, kernel::pod::cgroup_tree::subtree};

/// All processes that are visible, by the inode numbers of their network namespaces.
pub(crate) struct Processes(HashMap<u64, Vec<Process>>);

impl Processes {
    /// Reads `/proc`. A process that ends meanwhile is left out.
    pub(crate) fn read() -> Result<Self> {
        let mut found: HashMap<u64, Vec<Process>> = HashMap::new();
        for entry in fs::read_dir("/proc").context("Failed to list /proc")? {
            let path = entry.context("Failed to list /proc")?.path();
            let Some(pid) = path
                .file_name()
                .and_then(|name| name.to_str())
                .and_then(|name| name.parse().ok())
            else {
                continue; // not a process
            };
            if let Some(inode) = netns_inode(&path) {
                let name = fs::read_to_string(path.join("comm")).unwrap_or_default();
                found
                    .entry(inode)
                    .or_default()
                    .push(Process { pid, name: name.trim_end().to_owned() });
            }
        }
        Ok(Self(found))
    }

    /// The processes of a network namespace that are not below `cgroup`. This process, and those that started it, are
    /// left out: they are gone before the pod's first connection.
    pub(crate) fn outside(&self, netns_inode: u64, cgroup: &Path) -> Result<Vec<Process>> {
        let members = members(cgroup)?;
        let own = own_ancestors();
        let all = self.0.get(&netns_inode).into_iter().flatten();
        Ok(all
            .filter(|process| !(members.contains(&process.pid) || own.contains(&process.pid)))
            .cloned()
            .collect())
    }
}

/// The processes of a network namespace that are outside of `cgroup`, and still are when they are looked for again:
/// one that was started between two readings may look so once.
pub(crate) fn outsiders(netns_inode: u64, cgroup: &Path) -> Result<Vec<Process>> {
    let found = Processes::read()?.outside(netns_inode, cgroup)?;
    if found.is_empty() {
        return Ok(found);
    }
    let again = Processes::read()?.outside(netns_inode, cgroup)?;
    Ok(found.into_iter().filter(|process| again.contains(process)).collect())
}

/// Whether all processes below `cgroup` are visible here. The kernel shows the number 0 for one that is outside of the
/// reader's PID namespace
/// ([`cgroup_procs_show`](https://github.com/torvalds/linux/blob/v6.12/kernel/cgroup/cgroup.c)).
pub(crate) fn are_visible(cgroup: &Path) -> Result<bool> {
    Ok(!members(cgroup)?.contains(&0))
}

/// From `net:[4026531840]`.
fn netns_inode(process: &Path) -> Option<u64> {
    let link = fs::read_link(process.join("ns/net")).ok()?;
    link.to_str()?.strip_prefix("net:[")?.strip_suffix(']')?.parse().ok()
}

/// The processes in a cgroup and in those below it, by the numbers that they have here.
fn members(cgroup: &Path) -> Result<HashSet<i32>> {
    let mut pids = HashSet::new();
    for directory in subtree(cgroup)? {
        let path = directory.join("cgroup.procs");
        match fs::read_to_string(&path) {
            Ok(text) => pids.extend(text.lines().filter_map(|line| line.parse::<i32>().ok())),
            // A cgroup may be removed at any moment, and a cgroup of threads has no such list.
            Err(error) if matches!(error.raw_os_error(), Some(ENOENT | ENODEV | EOPNOTSUPP)) => {}
            Err(error) => return Err(error).with_context(|| format!("Failed to read {}", path.display())),
        }
    }
    Ok(pids)
}

fn own_ancestors() -> HashSet<i32> {
    let parent = |pid: &i32| {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("PPid:"))?;
        line.trim().parse().ok().filter(|parent| *parent != 0)
    };
    std::iter::successors(i32::try_from(std::process::id()).ok(), parent).collect()
}
