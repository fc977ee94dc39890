// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Directories that others may try to put something into: made for this user alone, and removed without ever
//! following a symbolic link.

use std::{
    ffi::{CStr, CString},
    fs::{self, Metadata},
    io,
    os::{
        fd::{AsFd, OwnedFd},
        unix::fs::{DirBuilderExt as _, MetadataExt as _},
    },
    path::Path,
};

use anyhow::{Context as _, Result};
use nix::{
    dir::Dir,
    fcntl::{AT_FDCWD, OFlag, openat},
    sys::stat::Mode,
    unistd::{UnlinkatFlags, geteuid, unlinkat},
};

/// Opens a directory, and not what a symbolic link in its place leads to.
const DIRECTORY: OFlag = OFlag::O_RDONLY
    .union(OFlag::O_DIRECTORY)
    .union(OFlag::O_NOFOLLOW)
    .union(OFlag::O_CLOEXEC);

/// Opens a directory. A symbolic link as the last part of the path is an error.
pub(crate) fn open_directory(path: &Path) -> nix::Result<OwnedFd> {
    openat(AT_FDCWD, path, DIRECTORY, Mode::empty())
}

/// Creates a directory and the ones above it that are missing, each with mode 0700.
pub(crate) fn create_directory(path: &Path) -> Result<()> {
    let created = fs::DirBuilder::new().recursive(true).mode(0o700).create(path);
    created.with_context(|| format!("Failed to create {}", path.display()))
}

/// Whether what is in a directory of this owner is ours: only this user, and root, can have put it there.
pub(crate) fn is_ours(metadata: &Metadata) -> bool {
    metadata.uid() == 0 || metadata.uid() == geteuid().as_raw()
}

/// Removes a file, a symbolic link, or a directory with all that is in it. Returns whether there was anything.
///
/// Each directory is opened in the one above it, so no part of the tree can be exchanged meanwhile for a link that
/// leads elsewhere. (bpffs answers `EPERM` to some of the system calls that [`fs::remove_dir_all`] uses.)
pub(crate) fn remove_tree(path: &Path) -> Result<bool> {
    let context = || format!("Failed to remove {}", path.display());
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(io::Error::from(io::ErrorKind::InvalidInput)).with_context(context);
    };
    let parent = match open_directory(parent) {
        Ok(parent) => parent,
        Err(nix::Error::ENOENT) => return Ok(false),
        Err(errno) => return Err(errno).with_context(context),
    };
    let name = CString::new(name.as_encoded_bytes()).with_context(context)?;
    remove_at(&parent, &name).with_context(context)
}

fn remove_at(parent: &impl AsFd, name: &CStr) -> nix::Result<bool> {
    let directory = match openat(parent, name, DIRECTORY, Mode::empty()) {
        Ok(directory) => directory,
        Err(nix::Error::ENOENT) => return Ok(false),
        // A file, or a symbolic link.
        Err(nix::Error::ENOTDIR | nix::Error::ELOOP) => return unlink(parent, name, UnlinkatFlags::NoRemoveDir),
        Err(errno) => return Err(errno),
    };
    let mut listed = Dir::from_fd(directory.try_clone().map_err(|_error| nix::Error::EMFILE)?)?;
    let names: Vec<CString> = listed
        .iter()
        .map(|entry| entry.map(|entry| entry.file_name().to_owned()))
        .collect::<nix::Result<_>>()?;
    for name in names.iter().filter(|name| !matches!(name.to_bytes(), b"." | b"..")) {
        remove_at(&directory, name)?;
    }
    unlink(parent, name, UnlinkatFlags::RemoveDir)
}

/// Something that is gone already is removed as well.
fn unlink(parent: &impl AsFd, name: &CStr, what: UnlinkatFlags) -> nix::Result<bool> {
    match unlinkat(parent, name, what) {
        Ok(()) => Ok(true),
        Err(nix::Error::ENOENT) => Ok(false),
        Err(errno) => Err(errno),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    #[test]
    fn a_tree_is_removed_and_what_its_links_lead_to_is_not() {
        let work = tempfile::tempdir().unwrap();
        let [tree, elsewhere] = ["tree", "elsewhere"].map(|name| work.path().join(name));
        fs::create_dir_all(tree.join("a/b")).unwrap();
        fs::create_dir_all(elsewhere.join("pods")).unwrap();
        fs::write(elsewhere.join("pods/file"), "precious").unwrap();
        symlink(&elsewhere, tree.join("a/link")).unwrap();
        symlink(elsewhere.join("pods"), tree.join("pods")).unwrap();

        assert!(remove_tree(&tree).unwrap());
        assert!(!tree.exists());
        assert_eq!(fs::read_to_string(elsewhere.join("pods/file")).unwrap(), "precious");
        assert!(!remove_tree(&tree).unwrap(), "nothing is left to remove");
    }

    #[test]
    fn a_link_in_the_place_of_the_tree_is_removed_itself() {
        let work = tempfile::tempdir().unwrap();
        let elsewhere = work.path().join("elsewhere");
        fs::create_dir(&elsewhere).unwrap();
        symlink(&elsewhere, work.path().join("tree")).unwrap();

        assert!(remove_tree(&work.path().join("tree")).unwrap());
        assert!(elsewhere.exists());
        assert!(fs::symlink_metadata(work.path().join("tree")).is_err());
    }

    #[test]
    fn a_new_directory_is_for_this_user_alone() {
        let work = tempfile::tempdir().unwrap();
        let path = work.path().join("a/b");
        create_directory(&path).unwrap();
        for directory in [path.parent().unwrap(), &path] {
            assert_eq!(fs::metadata(directory).unwrap().permissions().mode() & 0o777, 0o700);
        }
    }
}
