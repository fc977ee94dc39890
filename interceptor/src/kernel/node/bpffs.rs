// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A mounted BPF file system: where the pins of each version are, and how they are removed. It opens no pin.

use std::{
    fs::{self, DirEntry},
    io,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
use interceptor_policy::ABI_VERSION;
use nix::sys::statfs::{BPF_FS_MAGIC, statfs};

use crate::{
    EnrollError,
    kernel::{
        node::{layout::Layout, lock::Lock},
        programs::lookup_stub,
    },
};

/// A mounted BPF file system.
#[derive(Clone, Debug)]
pub(crate) struct Bpffs {
    root: PathBuf,
}

impl Bpffs {
    /// Checks that `root` is a BPF file system.
    pub(crate) fn open(root: &Path) -> Result<Self, EnrollError> {
        match statfs(root) {
            Ok(kind) if kind.filesystem_type() == BPF_FS_MAGIC => Ok(Self { root: root.to_path_buf() }),
            Ok(_) => Err(EnrollError::NotBpffs { path: root.to_path_buf() }),
            Err(nix::Error::ENOENT) => Err(EnrollError::NoSuchDirectory { path: root.to_path_buf() }),
            Err(errno) => {
                let error = anyhow::Error::new(errno);
                Err(error
                    .context(format!("Failed to look at the BPF file system {}", root.display()))
                    .into())
            }
        }
    }

    /// The directory whose lock excludes other runs.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Everything of ours, of all versions.
    pub(crate) fn home(&self) -> PathBuf {
        self.root.join("interceptor")
    }

    /// The pins of this version.
    pub(crate) fn layout(&self) -> Layout {
        Layout::new(self.home().join(format!("v{ABI_VERSION}")))
    }

    /// Where the pins of this version are put together before they are renamed into place.
    pub(crate) fn staging(&self) -> Layout {
        Layout::new(self.home().join(format!("v{ABI_VERSION}-new")))
    }

    /// Where everything is moved before it is removed. A run that is killed leaves all of it in place, or nothing.
    fn retired(&self) -> PathBuf {
        self.root.join("interceptor-retired")
    }

    /// Removes all pins, of all versions. Attachments end with their pins. Returns whether there were any.
    pub(crate) fn remove_everything(&self, lock: &Lock) -> Result<bool> {
        self.finish_removal(lock)?;
        match fs::rename(self.home(), self.retired()) {
            Ok(()) => self.finish_removal(lock),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error).with_context(|| format!("Failed to move {}", self.home().display())),
        }
    }

    /// Removes what a run that was killed left to be removed. The pods' links go first, because the programs they are
    /// links of need the rest.
    pub(crate) fn finish_removal(&self, _lock: &Lock) -> Result<bool> {
        for version in entries(&self.retired())? {
            let layout = Layout::new(version.path());
            remove_tree(&layout.pods())?;
            lookup_stub::clear_tail_call_target(&layout.maps())?;
        }
        remove_tree(&self.retired())
    }
}

/// Creates directories, and the ones above them.
pub(crate) fn create_directories(directories: &[PathBuf]) -> Result<()> {
    directories.iter().try_for_each(|directory| {
        fs::create_dir_all(directory).with_context(|| format!("Failed to create {}", directory.display()))
    })
}

/// Removes a directory of pins. Returns whether there was one. bpffs answers `EPERM` to the system calls that
/// [`fs::remove_dir_all`] prefers.
pub(crate) fn remove_tree(directory: &Path) -> Result<bool> {
    for entry in entries(directory)? {
        let path = entry.path();
        if entry
            .file_type()
            .with_context(|| format!("Failed to look at {}", path.display()))?
            .is_dir()
        {
            remove_tree(&path)?;
        } else {
            fs::remove_file(&path).with_context(|| format!("Failed to remove {}", path.display()))?;
        }
    }
    match fs::remove_dir(directory) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error).with_context(|| format!("Failed to remove {}", directory.display())),
    }
}

/// What is in a directory. A directory that is not there has nothing in it.
fn entries(directory: &Path) -> Result<Vec<DirEntry>> {
    let listed = match fs::read_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        listed => listed.and_then(Iterator::collect),
    };
    listed.with_context(|| format!("Failed to list {}", directory.display()))
}
