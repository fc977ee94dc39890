// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The cgroups that a node leaves: they belong to the whole machine, and do not go with its namespaces.

use std::{
    collections::BTreeSet,
    fs, io,
    path::{Path, PathBuf},
};

use anyhow::ensure;
use testkit::{cgroup2_mount_point, wait_until};

const ROOT: &str = "/sys/fs/cgroup";

/// Where kubelet puts all pods, in each hierarchy.
const PODS: &str = "kubepods";

/// What the machine had before the node.
pub(crate) struct Cgroups {
    /// The controllers that are on in the root of cgroup2. The container runtime turns more of them on.
    controllers: BTreeSet<String>,
}

impl Cgroups {
    /// An error when another kubelet's pods are there: two would remove each other's.
    pub(crate) fn before() -> anyhow::Result<Self> {
        let there = pods();
        ensure!(
            there.is_empty(),
            "another kubelet or container runtime is using {}, or a test that was killed has left it. If no process \
             is in it, remove it with: find {} -depth -type d -exec rmdir {{}} +",
            shown(&there, ", "),
            shown(&there, " ")
        );
        Ok(Self { controllers: controllers() })
    }

    /// Removes what the node has left, which is empty now; says what stays.
    pub(crate) fn restore(&self) -> Vec<String> {
        let mut left = Vec::new();
        for directory in pods() {
            if let Err(error) = remove(&directory) {
                left.push(format!("{}: {error}", directory.display()));
            }
        }
        let file = cgroup2_mount_point().join("cgroup.subtree_control");
        for controller in controllers().difference(&self.controllers) {
            if let Err(error) = fs::write(&file, format!("-{controller}")) {
                left.push(format!("{controller} in {}: {error}", file.display()));
            }
        }
        left
    }
}

fn shown(paths: &[PathBuf], separator: &str) -> String {
    paths
        .iter()
        .map(|path| path.display().to_string())
        .collect::<Vec<_>>()
        .join(separator)
}

/// In every hierarchy that has it.
fn pods() -> Vec<PathBuf> {
    let hierarchies = fs::read_dir(ROOT)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path().join(PODS));
    let all = [Path::new(ROOT).join(PODS)].into_iter().chain(hierarchies);
    // `cpu` and `cpuacct` may be two names of one hierarchy.
    all.filter(|path| path.is_dir()).collect()
}

fn controllers() -> BTreeSet<String> {
    let text = fs::read_to_string(cgroup2_mount_point().join("cgroup.subtree_control")).unwrap_or_default();
    text.split_whitespace().map(str::to_owned).collect()
}

/// Deepest first. The kernel says for a moment that a directory is busy whose processes have just ended.
fn remove(directory: &Path) -> io::Result<()> {
    let children = fs::read_dir(directory)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path());
    for child in children.filter(|path| path.is_dir()) {
        remove(&child)?;
    }
    let mut result = Ok(());
    wait_until("a cgroup is empty", || {
        result = fs::remove_dir(directory);
        !matches!(&result, Err(error) if error.kind() == io::ErrorKind::ResourceBusy)
    });
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result,
    }
}
