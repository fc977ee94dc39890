// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The maps and programs of a node, put together in a directory of their own before they are published. This takes
//! the verifier a while, so nobody else's lock is held meanwhile.

use std::{
    fs::{self, File},
    hash::{BuildHasher as _, RandomState},
    path::Path,
};

use anyhow::{Context as _, Result};
use interceptor_policy::NodeState;
use nix::fcntl::{Flock, FlockArg};

use crate::kernel::{
    node::{bpffs::Bpffs, layout::Layout, lock::Lock, maps::Maps},
    programs::object,
    sys::tree::{create_directory, open_directory, remove_tree},
};

const PREFIX: &str = "new-";

/// Maps and programs that nobody uses yet. They go with the value unless they are published.
#[derive(Debug)]
pub(crate) struct Staged {
    layout: Layout,
    /// Tells other runs that this one is alive.
    _in_use: Flock<File>,
}

impl Staged {
    /// Creates the maps and loads the programs. Linux 5.19.
    pub(crate) fn load(bpffs: &Bpffs) -> Result<Self> {
        let home = bpffs.home();
        home.create()?;
        let layout = home.version(&format!("{PREFIX}{:016x}", RandomState::new().hash_one(())));
        create_directory(layout.root())?;
        let staged = Self { _in_use: lock(layout.root())?, layout };
        for directory in staged.layout.directories() {
            create_directory(&directory)?;
        }
        object::load_node(&staged.layout.maps(), &staged.layout.programs())?;
        let mut maps = Maps::open(&staged.layout)?;
        maps.set_node(NodeState { object: object::fingerprint(), ..NodeState::default() })?;
        Ok(staged)
    }

    /// Makes them the node's, in one step.
    pub(crate) fn publish(self, bpffs: &Bpffs, _lock: &Lock) -> Result<()> {
        let layout = bpffs.layout();
        fs::rename(self.layout.root(), layout.root())
            .with_context(|| format!("Failed to put {} in place", layout.root().display()))
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        // After publishing there is nothing at the old place. If this fails, a later run removes what is left.
        remove_tree(self.layout.root()).map(drop).unwrap_or_default();
    }
}

/// Whether something of this name is being put together, or was.
pub(crate) fn is_staging(name: &str) -> bool {
    name.starts_with(PREFIX)
}

/// Removes a staging directory unless the run that made it is alive.
pub(crate) fn remove_if_abandoned(path: &Path) -> Result<()> {
    match lock(path) {
        Ok(_abandoned) => remove_tree(path).map(drop),
        Err(_in_use_or_gone) => Ok(()),
    }
}

fn lock(path: &Path) -> Result<Flock<File>> {
    let directory = open_directory(path).with_context(|| format!("Failed to open {}", path.display()))?;
    let locked = Flock::lock(File::from(directory), FlockArg::LockExclusiveNonblock);
    locked
        .map_err(|(_, errno)| errno)
        .with_context(|| format!("Failed to lock {}", path.display()))
}
