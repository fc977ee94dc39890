// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The cgroup and the network namespace of a pod that runs, found by its processes, or by the names of namespaces where
//! it has no process: some runtimes keep none while its only container waits. A process may be in the namespace of
//! another pod for a while, or of the host. So a namespace is taken only if it has an address of the pod.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    io::ErrorKind,
    net::IpAddr,
    os::{fd::OwnedFd, unix::fs::MetadataExt as _},
    path::{Path, PathBuf},
};

use anyhow::{Result, bail};
use interceptor::{Cgroup, Netns, namespaces};

/// What belongs to a pod.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) netns: OwnedFd,
    pub(crate) cgroup: Cgroup,
}

/// Looks among the processes of this directory, and then among the namespaces that have a name. `None` while the pod
/// has no address, or neither. It blocks.
pub(crate) fn find(proc: &Path, uid: &str, addresses: &[IpAddr]) -> Result<Option<Found>> {
    let Some(cgroup) = Cgroup::of_pod_with_uid(uid)? else { return Ok(None) };
    if addresses.is_empty() {
        return Ok(None);
    }
    let mut candidates = Candidates::new(addresses);
    let mut is_forbidden = false;
    for process in processes(proc).filter(|process| is_in(process, cgroup.path())) {
        let file = match File::open(process.join("ns/net")) {
            Ok(file) => file,
            // A process may end at any moment.
            Err(error) => {
                is_forbidden |= error.kind() == ErrorKind::PermissionDenied;
                continue;
            }
        };
        candidates.look_at(file);
    }
    if candidates.found.is_empty() {
        named().for_each(|file| candidates.look_at(file));
    }
    let mut found = candidates.found;
    if found.len() > 1 {
        bail!("several network namespaces have an address of the pod");
    }
    if found.is_empty() && is_forbidden {
        bail!("the node agent may not look at the namespaces of the pod's processes, which needs CAP_SYS_PTRACE");
    }
    Ok(found.pop().map(|netns| Found { netns, cgroup }))
}

/// Namespaces, each looked at once.
struct Candidates<'a> {
    addresses: &'a [IpAddr],
    seen: BTreeSet<u64>,
    found: Vec<OwnedFd>,
}

impl<'a> Candidates<'a> {
    const fn new(addresses: &'a [IpAddr]) -> Self {
        Self { addresses, seen: BTreeSet::new(), found: Vec::new() }
    }

    fn look_at(&mut self, file: File) {
        let Ok(inode) = file.metadata().map(|metadata| metadata.ino()) else { return };
        if self.seen.insert(inode) && has_address(&file, self.addresses) {
            self.found.push(file.into());
        }
    }
}

/// The host's own namespace has none.
fn has_address(netns: &File, addresses: &[IpAddr]) -> bool {
    let facts = netns
        .try_clone()
        .map(OwnedFd::from)
        .ok()
        .and_then(|netns| Netns::from_fd(netns).ok()?.facts().ok());
    let interfaces = facts.map(|facts| facts.interfaces).unwrap_or_default();
    interfaces
        .iter()
        .flat_map(|interface| &interface.addresses)
        .any(|address| addresses.contains(address))
}

/// What the runtime, or somebody else, has given a name.
fn named() -> impl Iterator<Item = File> {
    let entries = fs::read_dir(namespaces::NAMED).into_iter().flatten().flatten();
    // Opening what is no file could wait.
    let files = entries.map(|entry| entry.path()).filter(|path| path.is_file());
    files.filter_map(|path| File::open(path).ok())
}

fn processes(proc: &Path) -> impl Iterator<Item = PathBuf> {
    let entries = fs::read_dir(proc).into_iter().flatten().flatten();
    let is_process = |name: &[u8]| name.first().is_some_and(u8::is_ascii_digit);
    entries
        .filter(move |entry| is_process(entry.file_name().as_encoded_bytes()))
        .map(|entry| entry.path())
}

/// Whether a process is in this cgroup, or in one below it. The path that `/proc` shows begins where the cgroup
/// namespace of this process does; the name of the pod's directory is in it all the same.
fn is_in(process: &Path, cgroup: &Path) -> bool {
    let Some(name) = cgroup.file_name().and_then(|name| name.to_str()) else {
        return false;
    };
    let text = fs::read_to_string(process.join("cgroup")).unwrap_or_default();
    text.lines().any(|line| line.split('/').any(|part| part == name))
}
