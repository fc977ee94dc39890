// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A directory that nobody else may write to. It is opened once, and what is in it is named relative to it, so no part
//! of its path can come to mean something else. No symbolic link in it is followed.

use std::{
    fs::File,
    io,
    os::fd::OwnedFd,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
use nix::{
    dir::Dir,
    errno::Errno,
    fcntl::{AT_FDCWD, OFlag, openat, renameat},
    sys::stat::{FileStat, Mode, SFlag, fchmod, fstat, mkdirat},
    unistd::{UnlinkatFlags, geteuid, unlinkat},
};

use crate::EnrollError;

const OPEN: OFlag = OFlag::O_RDONLY
    .union(OFlag::O_DIRECTORY)
    .union(OFlag::O_NOFOLLOW)
    .union(OFlag::O_CLOEXEC);
const PRIVATE: u32 = 0o700;
const WRITABLE_BY_OTHERS: u32 = 0o022;

/// A directory of root, or of this user, that nobody else may write to.
#[derive(Debug)]
pub struct RunDirectory {
    path: PathBuf,
    directory: OwnedFd,
}

impl RunDirectory {
    /// Opens a directory. `None` if there is none. An error if others may write to it, or if it is a symbolic link.
    pub fn open(path: &Path) -> Result<Option<Self>> {
        Self::open_at(AT_FDCWD, path, path.to_path_buf())
    }

    /// The same, made if it is not there. Group and others may do nothing in it from now on.
    pub fn create(path: &Path) -> Result<Self> {
        Self::create_at(AT_FDCWD, path, path.to_path_buf())
    }

    pub(super) fn open_below(&self, name: &str) -> Result<Option<Self>> {
        Self::open_at(&self.directory, Path::new(name), self.path.join(name))
    }

    pub(super) fn create_below(&self, name: &str) -> Result<Self> {
        Self::create_at(&self.directory, Path::new(name), self.path.join(name))
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The open directory, for a lock.
    pub fn try_clone(&self) -> io::Result<OwnedFd> {
        self.directory.try_clone()
    }

    fn create_at(parent: impl std::os::fd::AsFd, name: &Path, path: PathBuf) -> Result<Self> {
        match mkdirat(&parent, name, Mode::from_bits_truncate(PRIVATE)) {
            Ok(()) | Err(Errno::EEXIST) => {}
            Err(errno) => return Err(errno).with_context(|| format!("Failed to make {}", path.display())),
        }
        let made = Self::open_at(parent, name, path)?.context("The directory was removed again")?;
        let private = fchmod(&made.directory, Mode::from_bits_truncate(PRIVATE));
        private.with_context(|| format!("Failed to make {} private", made.path.display()))?;
        Ok(made)
    }

    fn open_at(parent: impl std::os::fd::AsFd, name: &Path, path: PathBuf) -> Result<Option<Self>> {
        let directory = match openat(parent, name, OPEN, Mode::empty()) {
            Ok(directory) => directory,
            Err(Errno::ENOENT) => return Ok(None),
            Err(Errno::ENOTDIR | Errno::ELOOP) => {
                let reason = "it is not a directory, or a symbolic link".to_owned();
                return Err(EnrollError::Untrusted { path, reason }.into());
            }
            Err(errno) => return Err(errno).with_context(|| format!("Failed to open {}", path.display())),
        };
        let FileStat { st_uid, st_mode, .. } =
            fstat(&directory).with_context(|| format!("Failed to look at {}", path.display()))?;
        let is_ours = st_uid == 0 || st_uid == geteuid().as_raw();
        if !is_ours || st_mode & WRITABLE_BY_OTHERS != 0 {
            let reason = format!("its owner is user {st_uid}, and its mode {:04o}", st_mode & 0o7777);
            return Err(EnrollError::Untrusted { path, reason }.into());
        }
        Ok(Some(Self { path, directory }))
    }

    /// The names of all that is in it, except names that are no text.
    pub(super) fn names(&self) -> Result<Vec<String>> {
        let context = || format!("Failed to list {}", self.path.display());
        let mut directory = Dir::openat(&self.directory, ".", OPEN, Mode::empty()).with_context(context)?;
        let mut names = Vec::new();
        for entry in directory.iter() {
            let name = entry.with_context(context)?.file_name().to_owned();
            names.extend(name.into_string().ok().filter(|name| !matches!(name.as_str(), "." | "..")));
        }
        Ok(names)
    }

    /// Opens a regular file for reading. `None` if there is none.
    pub(super) fn open_file(&self, name: &str) -> Result<Option<File>> {
        // Opening a FIFO must not wait.
        let flags = OFlag::O_RDONLY | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
        let file = match openat(&self.directory, name, flags, Mode::empty()) {
            Ok(file) => file,
            Err(Errno::ENOENT) => return Ok(None),
            Err(Errno::ELOOP) => return Err(io::Error::other("it is a symbolic link").into()),
            Err(errno) => return Err(errno).context("it cannot be opened"),
        };
        let kind = fstat(&file).context("it cannot be looked at")?.st_mode & SFlag::S_IFMT.bits();
        if kind == SFlag::S_IFREG.bits() {
            Ok(Some(file.into()))
        } else {
            Err(io::Error::other("it is not a regular file").into())
        }
    }

    /// Makes a file, for this user alone, that is not there yet.
    pub(super) fn create_file(&self, name: &str) -> Result<File> {
        let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let file = openat(&self.directory, name, flags, Mode::S_IRUSR | Mode::S_IWUSR);
        Ok(file.with_context(|| format!("Failed to make {name}"))?.into())
    }

    pub(super) fn rename(&self, from: &str, to: &str) -> Result<()> {
        let renamed = renameat(&self.directory, from, &self.directory, to);
        renamed.with_context(|| format!("Failed to rename {from}"))
    }

    /// Removes a file, if it is there.
    pub(super) fn remove(&self, name: &str) -> Result<()> {
        match unlinkat(&self.directory, name, UnlinkatFlags::NoRemoveDir) {
            Ok(()) | Err(Errno::ENOENT) => Ok(()),
            Err(errno) => Err(errno).with_context(|| format!("Failed to remove {}", self.path.join(name).display())),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        fs,
        os::unix::fs::{PermissionsExt as _, symlink},
    };

    use super::*;

    #[test]
    fn a_directory_is_for_this_user_alone_also_if_somebody_made_it_for_all_to_read() {
        let work = tempfile::tempdir().unwrap();
        let path = work.path().join("run");
        fs::create_dir(&path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        RunDirectory::create(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o700);
    }

    #[test]
    fn what_others_may_write_to_is_refused() {
        let work = tempfile::tempdir().unwrap();
        let (path, link) = (work.path().join("run"), work.path().join("link"));
        fs::create_dir(&path).unwrap();
        symlink(&path, &link).unwrap();
        let error = RunDirectory::create(&link).unwrap_err().to_string();
        assert!(
            error.ends_with("cannot be trusted: it is not a directory, or a symbolic link"),
            "{error}"
        );
        fs::set_permissions(&path, fs::Permissions::from_mode(0o777)).unwrap();
        let error = RunDirectory::create(&path).unwrap_err().to_string();
        assert!(error.ends_with("and its mode 0777"), "{error}");
        assert!(RunDirectory::open(&path).is_err());
        fs::remove_dir(&path).unwrap();
        fs::write(&path, "").unwrap();
        assert!(RunDirectory::create(&path).is_err());
    }
}
