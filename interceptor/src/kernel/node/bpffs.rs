// SPDX-License-Identifier: Apache-2.0 OR MIT
use std::{
    fs::{self, DirEntry, File},
    io,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail};
use interceptor_policy::ABI_VERSION;
use nix::{
    fcntl::{Flock, FlockArg},
    sys::statfs::{BPF_FS_MAGIC, statfs},
};

use crate::kernel::programs::lookup_stub;

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
        let kind = statfs(root)
            .with_context(|| format!("Failed to look at the BPF file system {} (--bpffs)", root.display()))?;
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

    /// Waits for other runs to end. The root of the file system is locked, because it is the one directory that is
    /// always there.
    pub fn lock(&self) -> Result<Lock> {
        let file = File::open(&self.root).with_context(|| format!("Failed to open {}", self.root.display()))?;
        match Flock::lock(file, FlockArg::LockExclusive) {
            Ok(file) => Ok(Lock { _file: file }),
            Err((_, errno)) => Err(errno).with_context(|| format!("Failed to lock {}", self.root.display())),
        }
    }

    /// Everything of ours, of all versions.
    pub(crate) fn home(&self) -> PathBuf {
        self.root.join("interceptor")
    }

    /// The pins of this version.
    pub(crate) fn version(&self) -> PathBuf {
        self.home().join(format!("v{ABI_VERSION}"))
    }

    /// Where the pins of this version are put together. (No name in a BPF file system may have a dot.)
    pub(crate) fn staging(&self) -> PathBuf {
        self.home().join(format!("v{ABI_VERSION}-new"))
    }

    /// Where everything is moved before it is removed: a run that is killed leaves all of it in place, or nothing.
    fn retired(&self) -> PathBuf {
        self.root.join("interceptor-retired")
    }

    /// Removes all pins, of all versions; attachments end with their pins. Returns whether there were any.
    pub fn remove_everything(&self, lock: &Lock) -> Result<bool> {
        self.finish_removal(lock)?;
        match fs::rename(self.home(), self.retired()) {
            Ok(()) => self.finish_removal(lock),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error).with_context(|| format!("Failed to move {}", self.home().display())),
        }
    }

    /// Removes what a run that was killed did not get to. The pods' links go first: what they are links of needs the
    /// rest.
    pub(crate) fn finish_removal(&self, _lock: &Lock) -> Result<bool> {
        for version in entries(&self.retired())? {
            remove_tree(&version.path().join("pods"))?;
            lookup_stub::clear_tail_call_target(&version.path().join("maps"))?;
        }
        remove_tree(&self.retired())
    }
}

/// What is in a directory; nothing when it is not there.
fn entries(directory: &Path) -> Result<Vec<DirEntry>> {
    let listed = match fs::read_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        listed => listed.and_then(Iterator::collect),
    };
    listed.with_context(|| format!("Failed to list {}", directory.display()))
}

/// Removes a directory of pins; returns whether there was one. bpffs answers `EPERM` to the system calls that
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
