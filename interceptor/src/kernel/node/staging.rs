// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The maps and programs of a node, put together in a directory of their own before they are published. This takes
//! the verifier a while, so nobody else's lock is held meanwhile.

use std::{
    fs::{self, File},
    hash::{BuildHasher as _, RandomState},
    io,
    os::unix::fs::MetadataExt as _,
    path::Path,
};

use anyhow::{Context as _, Result};
use interceptor_policy::maps;
use nix::fcntl::{Flock, FlockArg};

use crate::kernel::{
    node::{acceleration, bpffs::Bpffs, conversion, layout::Layout, lock::Lock, other_version::OtherVersion},
    programs::object,
    sys::tree::{create_directory, open_directory, remove_tree},
};

const PREFIX: &str = "new-";

/// Maps and programs that nobody uses yet. They go with the value unless they are published.
#[derive(Debug)]
pub(crate) struct Staged {
    layout: Layout,
    /// The version whose pods it is to take over.
    made_for: [Option<u64>; 2],
    /// Tells other runs that this one is alive.
    _in_use: Flock<File>,
}

impl Staged {
    /// Creates the maps and loads the programs. Linux 5.19.
    pub(crate) fn load(bpffs: &Bpffs) -> Result<Self> {
        let staged = Self::make(bpffs)?;
        for directory in staged.layout.directories() {
            create_directory(&directory)?;
        }
        object::load_node(&staged.layout.maps(), &staged.layout.programs())?;
        Ok(staged)
    }

    /// Loads this build's programs for the maps of a node that has the programs of another build.
    pub(crate) fn load_programs(bpffs: &Bpffs, node: &Layout) -> Result<Self> {
        let staged = Self::make(bpffs)?;
        create_directory(&staged.layout.programs())?;
        object::load_programs(&node.maps(), &staged.layout.programs())?;
        if node.acceleration().root().exists() {
            let programs = staged.layout.acceleration().programs();
            create_directory(&programs)?;
            acceleration::load_programs(node, &programs)?;
        }
        Ok(staged)
    }

    /// Makes maps and programs of this version for the pods of another one, whose maps are shared where they are the
    /// same.
    pub(crate) fn load_take_over(bpffs: &Bpffs, from: &Layout, other: &OtherVersion) -> Result<Self> {
        let made_for = inodes(from)?;
        let mut staged = Self::make(bpffs)?;
        staged.made_for = made_for;
        let (layout, former) = (&staged.layout, from.acceleration());
        for directory in [layout.maps(), layout.programs()] {
            create_directory(&directory)?;
        }
        conversion::share(maps::ALL, other, &from.maps(), &layout.maps())?;
        object::load_programs(&layout.maps(), &layout.programs())?;
        if former.root().exists() {
            let acceleration = layout.acceleration();
            acceleration
                .directories()
                .iter()
                .try_for_each(|directory| create_directory(directory))?;
            conversion::share(maps::ACCELERATION, other, &former.maps(), &acceleration.maps())?;
            acceleration::load_programs(layout, &acceleration.programs())?;
        }
        Ok(staged)
    }

    /// Whether the version that this was made for is as it was then.
    pub(crate) fn is_for(&self, from: &Layout) -> Result<bool> {
        Ok(self.made_for == inodes(from)?)
    }

    /// Where everything is until it is published.
    pub(crate) const fn layout(&self) -> &Layout {
        &self.layout
    }

    fn make(bpffs: &Bpffs) -> Result<Self> {
        let home = bpffs.home();
        home.create()?;
        let layout = home.version(&format!("{PREFIX}{:016x}", RandomState::new().hash_one(())));
        create_directory(layout.root())?;
        Ok(Self { _in_use: lock(layout.root())?, layout, made_for: [None; 2] })
    }

    /// Makes them the node's, in one step.
    pub(crate) fn publish(self, bpffs: &Bpffs, _lock: &Lock) -> Result<()> {
        let layout = bpffs.layout();
        fs::rename(self.layout.root(), layout.root())
            .with_context(|| format!("Failed to put {} in place", layout.root().display()))
    }

    /// Whether it has programs for acceleration.
    pub(crate) fn has_acceleration(&self) -> bool {
        self.layout.acceleration().root().exists()
    }

    /// Puts the programs beside those of `node`, as the next ones.
    pub(crate) fn publish_programs(self, node: &Layout, _lock: &Lock) -> Result<()> {
        let of_acceleration = (self.layout.acceleration().programs(), node.acceleration().programs_next());
        let of_node = (self.layout.programs(), node.programs_next());
        for (from, to) in [of_node, of_acceleration] {
            remove_tree(&to)?;
            if from.exists() {
                fs::rename(&from, &to).with_context(|| format!("Failed to put {} in place", to.display()))?;
            }
        }
        Ok(())
    }
}

/// The inode numbers of what a version has pinned, and of its acceleration, as far as they are there.
fn inodes(layout: &Layout) -> Result<[Option<u64>; 2]> {
    let inode = |path: &Path| match fs::symlink_metadata(path) {
        Ok(metadata) => Ok(Some(metadata.ino())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("Failed to look at {}", path.display())),
    };
    Ok([inode(layout.root())?, inode(layout.acceleration().root())?])
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
