// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The hierarchies of cgroups that this process sees, and directories in them. A directory is only ever opened below
//! its mount point: no `..`, no link and no other file system leads away.

use std::{
    fs, io,
    os::fd::{AsFd, OwnedFd},
    path::{Path, PathBuf},
};

use rustix::{
    fs::{Mode, OFlags, ResolveFlags, fstatfs, open, openat2},
    io::Errno,
};

use crate::error::{CniError, code};

const DIRECTORY: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

const INSIDE: ResolveFlags = ResolveFlags::BENEATH
    .union(ResolveFlags::NO_SYMLINKS)
    .union(ResolveFlags::NO_MAGICLINKS)
    .union(ResolveFlags::NO_XDEV);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Version {
    V1,
    V2,
}

impl Version {
    /// The number by which the kernel tells such a file system
    /// ([`magic.h`](https://github.com/torvalds/linux/blob/v6.12/include/uapi/linux/magic.h#L75)).
    fn magic(self) -> u64 {
        match self {
            Self::V1 => 0x0027_e0eb,
            Self::V2 => 0x6367_7270,
        }
    }
}

#[derive(Debug)]
pub(crate) struct Tree {
    pub(crate) version: Version,
    pub(crate) mount: PathBuf,
    directory: OwnedFd,
}

/// All that are mounted and not hidden by another mount.
pub(crate) fn trees() -> Result<Vec<Tree>, CniError> {
    const MOUNTS: &str = "/proc/self/mountinfo";
    let text = fs::read_to_string(MOUNTS).map_err(|error| failed("read", Path::new(MOUNTS), &error))?;
    let mut trees = Vec::new();
    for (mount, version) in mounts(&text) {
        let directory = match open(&mount, DIRECTORY, Mode::empty()) {
            Ok(directory) => directory,
            // Another mount hides it.
            Err(Errno::NOENT | Errno::NOTDIR) => continue,
            Err(error) => return Err(failed("open", &mount, &error.into())),
        };
        let stat = fstatfs(&directory).map_err(|error| failed("look at", &mount, &error.into()))?;
        if u64::try_from(stat.f_type) == Ok(version.magic()) {
            trees.push(Tree { version, mount, directory });
        }
    }
    Ok(trees)
}

impl Tree {
    pub(crate) fn path(&self, relative: &str) -> PathBuf {
        self.mount.join(relative)
    }

    /// `None` if there is none.
    pub(crate) fn open(&self, relative: &str) -> Result<Option<OwnedFd>, CniError> {
        match open_in(self, relative) {
            Ok(directory) => Ok(Some(directory)),
            Err(Errno::NOENT) => Ok(None),
            Err(error) => Err(self.failed("open", relative, error)),
        }
    }

    pub(crate) fn failed(&self, what: &str, relative: &str, error: Errno) -> CniError {
        failed(what, &self.path(relative), &error.into())
    }
}

impl AsFd for Tree {
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        self.directory.as_fd()
    }
}

/// Opens a directory below another one of the same file system.
pub(crate) fn open_in(above: impl AsFd, relative: &str) -> rustix::io::Result<OwnedFd> {
    openat2(above, relative, DIRECTORY, Mode::empty(), INSIDE)
}

fn failed(what: &str, path: &Path, error: &io::Error) -> CniError {
    CniError::new(
        code::CGROUP,
        format!(
            "The pod's cgroup cannot be determined: failed to {what} {}: {error}; kubelet tries again",
            path.display()
        ),
    )
}

/// The mount points of cgroup file systems in the text of a mountinfo file
/// ([proc(5)](https://man7.org/linux/man-pages/man5/proc_pid_mountinfo.5.html)).
pub(crate) fn mounts(mountinfo: &str) -> Vec<(PathBuf, Version)> {
    let mount = |line: &str| {
        let (mount, kind) = line.split_once(" - ")?;
        let version = match kind.split(' ').next()? {
            "cgroup" => Version::V1,
            "cgroup2" => Version::V2,
            _ => return None,
        };
        Some((PathBuf::from(unescape(mount.split(' ').nth(4)?)), version))
    };
    mountinfo.lines().filter_map(mount).collect()
}

/// Blanks and backslashes stand as octal escapes.
fn unescape(text: &str) -> String {
    [("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")]
        .iter()
        .fold(text.to_owned(), |text, (escape, character)| text.replace(escape, character))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_versions_are_found_wherever_they_are_mounted() {
        let mountinfo = "\
30 23 0:26 / /sys/fs/cgroup ro,nosuid - tmpfs tmpfs ro,mode=755
31 30 0:27 / /sys/fs/cgroup/unified rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate
32 30 0:28 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory
77 23 0:27 /../.. /mnt/host\\040cgroup rw - cgroup2 cgroup2 rw
78 23 0:99 / /mnt/cgroup rw - cgroupish cgroup rw
";
        assert_eq!(
            mounts(mountinfo),
            [
                ("/sys/fs/cgroup/unified".into(), Version::V2),
                ("/sys/fs/cgroup/memory".into(), Version::V1),
                ("/mnt/host cgroup".into(), Version::V2)
            ]
        );
    }

    #[test]
    fn nothing_outside_is_opened() {
        let work = tempfile::tempdir().unwrap();
        fs::create_dir_all(work.path().join("tree/a")).unwrap();
        std::os::unix::fs::symlink("a", work.path().join("tree/link")).unwrap();
        let tree = fs::File::open(work.path().join("tree")).unwrap();
        open_in(&tree, "a").unwrap();
        for outside in ["..", "a/../..", "/", "link"] {
            open_in(&tree, outside).unwrap_err();
        }
    }
}
