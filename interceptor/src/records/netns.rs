// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The way from a record to the network namespace that it tells of. A name or a process only leads there; what it leads
//! to has to be that very namespace.

use std::{
    fs,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

use super::Record;
use crate::Netns;

/// Where `ip netns` and container runtimes give names to network namespaces.
const NAMED: &str = "/run/netns";

impl Record {
    /// Opens the network namespace: by the name that the runtime gave it, by another one, or by a process in it that
    /// this directory of processes shows. `None` if none of them is visible here.
    pub fn open_netns(&self, processes: &Path) -> Option<Netns> {
        let named = self.netns_path.iter().map(PathBuf::from);
        let others = entries(Path::new(NAMED));
        let processes = entries(processes).map(|process| process.join("ns/net"));
        let mut paths = named.chain(others).chain(processes);
        paths.find_map(|path| {
            // Opening what is no namespace could wait, so it is looked at first.
            let is_it = fs::metadata(&path).is_ok_and(|file| file.ino() == self.netns_inode);
            let netns = is_it.then(|| Netns::open(&path).ok())??;
            (netns.cookie() == self.netns_cookie).then_some(netns)
        })
    }
}

fn entries(directory: &Path) -> impl Iterator<Item = PathBuf> + use<> {
    fs::read_dir(directory)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
}
