// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A mounted BPF file system, and the one directory of ours in it. Others may be able to write to its root, so
//! nothing there is followed, used or removed unless it is ours. This file opens no pin.

use std::{
    fs::{self, DirEntry, Metadata},
    io,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
use interceptor_policy::ABI_VERSION;
use nix::sys::statfs::{BPF_FS_MAGIC, statfs};

use crate::{
    EnrollError,
    kernel::{
        node::layout::Layout,
        sys::tree::{create_directory, is_ours},
    },
};

/// Group and others may do nothing in a directory of ours.
const PRIVATE: u32 = 0o700;
const STICKY: u32 = 0o1000;
const WRITABLE_BY_OTHERS: u32 = 0o022;

/// A mounted BPF file system.
#[derive(Clone, Debug)]
pub(crate) struct Bpffs {
    root: PathBuf,
}

impl Bpffs {
    /// Checks that `root` is a BPF file system, and that nobody else can exchange what is ours in it.
    pub(crate) fn open(root: &Path) -> Result<Self, EnrollError> {
        match statfs(root) {
            Ok(kind) if kind.filesystem_type() == BPF_FS_MAGIC => {}
            Ok(_) => return Err(EnrollError::NotBpffs { path: root.to_path_buf() }),
            Err(nix::Error::ENOENT) => return Err(EnrollError::NoSuchDirectory { path: root.to_path_buf() }),
            Err(errno) => {
                let context = format!("Failed to look at the BPF file system {}", root.display());
                let error = anyhow::Error::new(errno).context(context);
                let denied = errno == nix::Error::EACCES;
                return Err(if denied { EnrollError::NotPermitted(error) } else { error.into() });
            }
        }
        let metadata = fs::metadata(root).with_context(|| format!("Failed to look at {}", root.display()))?;
        let exchangeable = metadata.mode() & WRITABLE_BY_OTHERS != 0 && metadata.mode() & STICKY == 0;
        if exchangeable || !is_ours(&metadata) {
            let reason = format!(
                "its owner is user {}, and its mode {:04o}",
                metadata.uid(),
                metadata.mode() & 0o7777
            );
            return Err(EnrollError::Untrusted { path: root.to_path_buf(), reason });
        }
        Ok(Self { root: root.to_path_buf() })
    }

    /// The mounted file system itself.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Everything of ours, of all versions.
    pub(crate) fn home(&self) -> Home {
        Home { path: self.root.join("interceptor") }
    }

    /// The pins of this version.
    pub(crate) fn layout(&self) -> Layout {
        self.layout_of(ABI_VERSION)
    }

    /// The pins of a version.
    pub(crate) fn layout_of(&self, version: u32) -> Layout {
        self.home().layout(version)
    }

    /// Where versions up to ABI 9 moved everything before they removed it.
    pub(crate) fn old_retired(&self) -> PathBuf {
        self.root.join("interceptor-retired")
    }
}

/// The directory of ours in a BPF file system. Its mode is 0700, and it belongs to this user or to root.
#[derive(Clone, Debug)]
pub(crate) struct Home {
    path: PathBuf,
}

impl Home {
    #[cfg(test)]
    pub(crate) fn at(path: &Path) -> Self {
        Self { path: path.to_path_buf() }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether it is there. Fails if something of another user is in its place.
    pub(crate) fn exists(&self) -> Result<bool> {
        match fs::symlink_metadata(&self.path) {
            Ok(metadata) => self.check(&metadata).map(|()| true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => {
                let denied = error.kind() == io::ErrorKind::PermissionDenied;
                let error = anyhow::Error::new(error).context(format!("Failed to look at {}", self.path.display()));
                Err(if denied { EnrollError::NotPermitted(error).into() } else { error })
            }
        }
    }

    /// Its inode number, if it is there. The kernel gives such a number to one inode of all BPF file systems, so
    /// another one has another number.
    pub(crate) fn inode(&self) -> Result<Option<u64>> {
        if !self.exists()? {
            return Ok(None);
        }
        match fs::symlink_metadata(&self.path) {
            Ok(metadata) => Ok(Some(metadata.ino())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).with_context(|| format!("Failed to look at {}", self.path.display())),
        }
    }

    /// Creates it if it is not there, and makes it private if an earlier version made it public.
    pub(crate) fn create(&self) -> Result<()> {
        if !self.exists()? {
            create_directory(&self.path)?;
        }
        let context = || format!("Failed to look at {}", self.path.display());
        let metadata = fs::symlink_metadata(&self.path).with_context(context)?;
        self.check(&metadata)?;
        if metadata.mode() & 0o7777 != PRIVATE {
            let made = fs::set_permissions(&self.path, fs::Permissions::from_mode(PRIVATE));
            made.with_context(|| format!("Failed to make {} private", self.path.display()))?;
        }
        Ok(())
    }

    /// Removes it if it is empty. A directory that another run is about to use is not.
    pub(crate) fn remove_if_empty(&self) -> Result<()> {
        self.exists()?;
        match fs::remove_dir(&self.path) {
            Err(error) if !matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::DirectoryNotEmpty) => {
                Err(error).with_context(|| format!("Failed to remove {}", self.path.display()))
            }
            _ => Ok(()),
        }
    }

    /// The pins in the directory of this name.
    pub(crate) fn version(&self, name: &str) -> Layout {
        Layout::new(self.path.join(name))
    }

    /// The pins of a version.
    pub(crate) fn layout(&self, version: u32) -> Layout {
        self.version(&format!("v{version}"))
    }

    /// The names of all that is in it.
    pub(crate) fn names(&self) -> Result<Vec<String>> {
        let name = |entry: DirEntry| entry.file_name().to_string_lossy().into_owned();
        let listed = match fs::read_dir(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            listed => listed.and_then(|entries| entries.map(|entry| entry.map(name)).collect()),
        };
        listed.with_context(|| format!("Failed to list {}", self.path.display()))
    }

    fn check(&self, metadata: &Metadata) -> Result<()> {
        let reason = if !metadata.is_dir() {
            "it is not a directory".to_owned()
        } else if !is_ours(metadata) {
            format!("it belongs to user {}", metadata.uid())
        } else {
            return Ok(());
        };
        Err(EnrollError::Untrusted { path: self.path.clone(), reason }.into())
    }
}
