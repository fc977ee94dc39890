// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Network namespaces that have a name or a process which is visible from here. Looking at them changes nothing.

use std::{
    fs,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

use crate::Netns;
pub use crate::kernel::processes;

/// Where `ip netns`, and most container runtimes, keep names of network namespaces.
pub const NAMED: &str = "/run/netns";

/// The network namespace with this cookie and inode number, if it is visible from here. `proc` is where processes are
/// listed, and `named` what somebody called it.
pub fn find(netns_cookie: u64, netns_inode: u64, named: Option<&Path>, proc: &Path) -> Option<Netns> {
    let others = entries(Path::new(NAMED));
    let processes = entries(proc).map(|process| process.join("ns/net"));
    let mut paths = named.map(Path::to_owned).into_iter().chain(others).chain(processes);
    paths.find_map(|path| {
        // Opening what is no namespace could wait, so it is looked at first.
        let is_it = fs::metadata(&path).is_ok_and(|file| file.ino() == netns_inode);
        let netns = is_it.then(|| Netns::open(&path).ok()).flatten();
        netns.filter(|netns| netns.cookie() == netns_cookie)
    })
}

fn entries(directory: &Path) -> impl Iterator<Item = PathBuf> + use<> {
    fs::read_dir(directory)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
}
