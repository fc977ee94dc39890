// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Moving the pods of a node from one version of the ABI to another: their links stay pinned, and the directory of one
//! version takes the place of the other's. What the other version leaves is kept in it for the way back.
//!
//! The directory that is going to be the version's gets the other one into it, and then its name. In between, no
//! version has pods, so no build can change what is moved. A run that is killed meanwhile is finished by the next.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};

use crate::kernel::{
    node::{
        bpffs::{Bpffs, Home},
        builds::pins,
        conversion,
        layout::Layout,
        lock::Lock,
    },
    sys::tree::{create_directory, remove_tree},
};

/// From one version of the ABI to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Move {
    pub(crate) from: u32,
    pub(crate) to: u32,
    /// Whether it is a way back.
    pub(crate) back: bool,
}

impl Move {
    /// Puts `new` in the place of the version that pods had. Links still have the programs of that one.
    pub(crate) fn publish(self, bpffs: &Bpffs, new: &Layout, _lock: &Lock) -> Result<()> {
        remove_alternatives(new)?;
        create_directory(&if self.back { new.going_back() } else { new.taking_over() })?;
        rename(new.root(), self.directory(&bpffs.home()).root())?;
        self.complete(&bpffs.home())
    }

    /// Each step is done unless an earlier run has done it.
    fn complete(self, home: &Home) -> Result<()> {
        let moving = self.directory(home);
        let earlier = moving.earlier(self.from);
        if !earlier.root().exists() {
            rename(home.layout(self.from).root(), earlier.root())?;
        }
        for (from, to) in [(earlier.pods(), moving.pods()), (earlier.cgroups(), moving.cgroups())] {
            if from.exists() {
                rename(&from, &to)?;
            }
        }
        rename(moving.root(), home.layout(self.to).root())
    }

    /// A run that was killed either had moved nothing yet, or is finished now.
    fn finish(self, home: &Home) -> Result<()> {
        let moving = self.directory(home);
        if self.is_begun(home) {
            if home.layout(self.to).root().exists() {
                tracing::warn!(
                    "{} is left alone, because pods were enrolled since in its place; `interceptor unenroll --all` \
                     removes both",
                    moving.root().display()
                );
                return Ok(());
            }
            return self.complete(home);
        }
        if self.to < self.from {
            return rename(moving.root(), home.layout(self.from).earlier(self.to).root());
        }
        remove_tree(moving.root()).map(drop)
    }

    fn is_begun(self, home: &Home) -> bool {
        self.directory(home).earlier(self.from).root().exists()
    }

    fn directory(self, home: &Home) -> Layout {
        home.version(&format!("v{}-from-v{}", self.to, self.from))
    }

    fn from_name(name: &str) -> Option<Self> {
        let (to, from) = name.strip_prefix('v')?.split_once("-from-v")?;
        Some(Self { from: from.parse().ok()?, to: to.parse().ok()?, back: false })
    }
}

/// Finishes what a run began that was killed.
pub(crate) fn finish(home: &Home, _lock: &Lock) -> Result<()> {
    home.names()?
        .iter()
        .filter_map(|name| Move::from_name(name))
        .try_for_each(|step| step.finish(home))
}

/// Whether a run was killed, and the next run that takes the lock finishes what it began.
pub(crate) fn is_interrupted(home: &Home) -> Result<bool> {
    let names = home.names()?;
    let mut moves = names.iter().filter_map(|name| Move::from_name(name));
    Ok(moves.any(|step| step.is_begun(home) && !home.layout(step.to).root().exists()))
}

/// The version that this one took its pods over from, if it keeps what that one left.
pub(crate) fn earlier_version(layout: &Layout) -> Result<Option<u32>> {
    let name = |path: &PathBuf| path.file_name()?.to_str()?.strip_prefix("earlier-v")?.parse().ok();
    Ok(pins(layout.root())?.iter().find_map(name))
}

/// This version, and the one that it took its pods over from.
pub(crate) fn with_earlier(layout: &Layout) -> Result<Vec<Layout>> {
    let earlier = earlier_version(layout)?.map(|version| layout.earlier(version));
    Ok([layout.clone()].into_iter().chain(earlier).collect())
}

/// Whether links may have programs of the earlier version.
pub(crate) fn is_unfinished(layout: &Layout) -> bool {
    layout.taking_over().exists() || layout.going_back().exists()
}

/// No link has a program of the earlier version any more. What the way back does not need is removed.
pub(crate) fn settle(layout: &Layout) -> Result<()> {
    if let Some(version) = earlier_version(layout)? {
        let earlier = layout.earlier(version);
        conversion::retire_pods(&earlier, layout)?;
        remove_alternatives(&earlier)?;
        for unneeded in [earlier.taking_over(), earlier.going_back(), earlier.acceleration().links()] {
            remove_tree(&unneeded)?;
        }
        if let Some(before) = earlier_version(&earlier)? {
            remove_tree(earlier.earlier(before).root())?;
        }
    }
    remove_tree(&layout.taking_over())?;
    remove_tree(&layout.going_back()).map(drop)
}

/// Removes the programs of other builds. They are attached to nothing.
fn remove_alternatives(layout: &Layout) -> Result<()> {
    let acceleration = layout.acceleration();
    for programs in [
        layout.programs_next(),
        layout.programs_before(),
        acceleration.programs_next(),
        acceleration.programs_before(),
    ] {
        remove_tree(&programs)?;
    }
    Ok(())
}

/// Removes what the earlier version left. No link has a program of it.
pub(crate) fn forget(layout: &Layout) -> Result<()> {
    settle(layout)?;
    if let Some(version) = earlier_version(layout)? {
        remove_tree(layout.earlier(version).root())?;
    }
    Ok(())
}

fn rename(from: &Path, to: &Path) -> Result<()> {
    fs::rename(from, to).with_context(|| format!("Failed to rename {} to {}", from.display(), to.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_name_of_a_move_is_one() {
        let step = Move { from: 14, to: 15, back: false };
        assert_eq!(Move::from_name("v15-from-v14"), Some(step));
        for name in ["v15", "v15-from-v", "new-0123", "retired-v15-from-v14"] {
            assert_eq!(Move::from_name(name), None, "{name}");
        }
    }
}
