// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Which programs `--rollback` leads to: those that were replaced last. While an exchange of programs is under way, and
//! after one that was killed, they bear a mark, which is another pin of one of them. Whatever renames their directory
//! takes the mark along.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};

use crate::{
    EnrollError,
    kernel::{
        node::{layout::Layout, moving},
        programs::{build::Build, table::SK_LOOKUP},
        sys,
    },
};

const MARK: &str = "way_back";

/// Where the programs are that the way back leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum WayBack {
    /// Nothing is under way.
    Before,
    /// They wait to be attached, or were attached until an upgrade that was interrupted.
    Next,
    /// They are the node's. Links may have others.
    Programs,
    /// They are of the version of the ABI from which this one took the pods over.
    Earlier(u32),
}

impl WayBack {
    /// Fails if there is no way back.
    pub(super) fn of(layout: &Layout) -> Result<Self> {
        if layout.programs_next().exists() {
            // A build that set no mark exchanges the directories last, so the node's programs are those from before.
            Ok(if is_marked(&layout.programs_next()) { Self::Next } else { Self::Programs })
        } else if layout.programs_before().exists() {
            Ok(Self::Before)
        } else if layout.going_back().exists() {
            Ok(Self::Programs)
        } else {
            let version = moving::earlier_version(layout)?;
            version.map(Self::Earlier).ok_or_else(|| EnrollError::NoEarlierBuild.into())
        }
    }

    /// The directory of the programs.
    pub(super) fn directory(self, layout: &Layout) -> PathBuf {
        match self {
            Self::Before => layout.programs_before(),
            Self::Next => layout.programs_next(),
            Self::Programs => layout.programs(),
            Self::Earlier(version) => layout.earlier(version).programs(),
        }
    }

    /// The build that they take the place of. `None` if nothing tells.
    pub(super) fn replaced(self, layout: &Layout) -> Result<Option<Build>> {
        Build::of(&match (self, moving::earlier_version(layout)?) {
            (Self::Programs, Some(version)) if layout.going_back().exists() => layout.earlier(version).programs(),
            (Self::Programs, _) => layout.programs_next(),
            (Self::Before | Self::Next | Self::Earlier(_), _) => layout.programs(),
        })
    }
}

/// Marks the programs in a directory as those that the way back leads to.
pub(super) fn mark(programs: &Path) -> Result<()> {
    if is_marked(programs) {
        return Ok(());
    }
    let (from, to) = (programs.join(SK_LOOKUP.name), programs.join(MARK));
    let program = sys::bpf_obj_get(&from).with_context(|| format!("Failed to open {}", from.display()))?;
    sys::bpf_obj_pin(&program, &to).with_context(|| format!("Failed to pin {}", to.display()))
}

/// Takes the mark away.
pub(super) fn unmark(programs: &Path) -> Result<()> {
    let mark = programs.join(MARK);
    match fs::remove_file(&mark) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("Failed to remove {}", mark.display()))
        }
        _ => Ok(()),
    }
}

fn is_marked(programs: &Path) -> bool {
    programs.join(MARK).exists()
}
