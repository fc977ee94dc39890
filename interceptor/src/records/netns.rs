// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The way from a record to the network namespace that it tells of.

use std::path::Path;

use super::Record;
use crate::{Netns, namespaces};

impl Record {
    /// Opens the network namespace: by the name that the runtime gave it, by another one, or by a process in it that
    /// this directory of processes shows. `None` if none of them is visible here.
    pub fn open_netns(&self, processes: &Path) -> Option<Netns> {
        let named = self.netns_path.as_ref().map(Path::new);
        namespaces::find(self.netns_cookie, self.netns_inode, named, processes)
    }
}
