// SPDX-License-Identifier: Apache-2.0 OR MIT
use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail};
use interceptor_policy::ABI_VERSION;
use nix::{
    fcntl::{Flock, FlockArg},
    sys::statfs::{BPF_FS_MAGIC, statfs},
};

/// A mounted BPF file system, and where this program keeps its pins in it.
#[derive(Clone, Debug)]
pub struct Bpffs {
    root: PathBuf,
}

/// Held while pins or maps are written; released by the kernel if the holder dies.
#[derive(Debug)]
pub struct Lock {
    _file: Flock<File>,
}

impl Bpffs {
    /// Checks that `root` is a BPF file system.
    pub fn open(root: &Path) -> Result<Self> {
        let kind = statfs(root).with_context(|| format!("Failed to look at the BPF file system {} (--bpffs)", root.display()))?;
        if kind.filesystem_type() != BPF_FS_MAGIC {
            bail!(
                "{} is not a BPF file system, so nothing that is set up would outlive this command; mount one there with \
                 `mount -t bpf bpf {}`, or name another with --bpffs",
                root.display(),
                root.display()
            );
        }
        Ok(Self { root: root.to_path_buf() })
    }

    /// Waits for other runs to end. The root of the file system is locked, because it is the one directory that is always there.
    pub fn lock(&self) -> Result<Lock> {
        let file = File::open(&self.root).with_context(|| format!("Failed to open {}", self.root.display()))?;
        match Flock::lock(file, FlockArg::LockExclusive) {
            Ok(file) => Ok(Lock { _file: file }),
            Err((_, errno)) => Err(errno).with_context(|| format!("Failed to lock {}", self.root.display())),
        }
    }

    /// Everything of ours, of all versions.
    pub(super) fn home(&self) -> PathBuf {
        self.root.join("interceptor")
    }

    /// The pins of this version.
    pub(super) fn version(&self) -> PathBuf {
        self.home().join(format!("v{ABI_VERSION}"))
    }

    /// Where the pins of this version are put together. (No name in a BPF file system may have a dot.)
    pub(super) fn staging(&self) -> PathBuf {
        self.home().join(format!("v{ABI_VERSION}-new"))
    }

    /// Removes all pins, of all versions; attachments end with their pins. Returns whether there were any.
    pub fn remove_everything(&self, _lock: &Lock) -> Result<bool> {
        remove_tree(&self.home())
    }
}

/// Removes a directory of pins. bpffs answers `EPERM` to the system calls that [`fs::remove_dir_all`] prefers.
pub(super) fn remove_tree(directory: &Path) -> Result<bool> {
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error).with_context(|| format!("Failed to list {}", directory.display())),
    };
    for entry in entries {
        let entry = entry.with_context(|| format!("Failed to list {}", directory.display()))?;
        let path = entry.path();
        if entry.file_type().with_context(|| format!("Failed to look at {}", path.display()))?.is_dir() {
            remove_tree(&path)?;
        } else {
            fs::remove_file(&path).with_context(|| format!("Failed to remove {}", path.display()))?;
        }
    }
    fs::remove_dir(directory).with_context(|| format!("Failed to remove {}", directory.display()))?;
    Ok(true)
}
