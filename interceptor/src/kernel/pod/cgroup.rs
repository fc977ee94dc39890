// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A pod's cgroup, and where cgroup2 hierarchies are mounted. It never creates or removes a cgroup.

use std::{
    fs::{self, File, OpenOptions},
    io,
    os::{
        fd::{AsRawFd, OwnedFd},
        unix::fs::{MetadataExt as _, OpenOptionsExt as _},
    },
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
use nix::{
    libc::O_DIRECTORY,
    sys::statfs::{CGROUP2_SUPER_MAGIC, fstatfs},
};

use crate::{EnrollError, kernel::pod::pod_cgroup};

/// A pod's cgroup: the parent of its containers' ones. Programs attached to it see the sockets of all of them.
#[derive(Debug)]
pub struct Cgroup {
    path: PathBuf,
    file: File,
    id: u64,
}

impl Cgroup {
    /// Opens a cgroup2 directory. The root is refused: everything on the node is below it, and would pay.
    pub fn open(path: &Path) -> Result<Self, EnrollError> {
        // What is not a directory is not opened: a FIFO would wait.
        match OpenOptions::new().read(true).custom_flags(O_DIRECTORY).open(path) {
            Ok(file) => Self::of(file, path.to_path_buf()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Err(EnrollError::Gone { what: "cgroup", name: path.display().to_string() })
            }
            Err(error) if error.kind() == io::ErrorKind::NotADirectory => {
                Err(EnrollError::NotACgroup { path: path.to_path_buf() })
            }
            Err(error) => {
                let error = anyhow::Error::new(error);
                Err(error.context(format!("Failed to open the cgroup {}", path.display())).into())
            }
        }
    }

    /// The cgroup of a descriptor of its directory. Otherwise as [`Self::open`].
    pub fn from_fd(fd: OwnedFd) -> Result<Self, EnrollError> {
        let path = fs::read_link(proc_path(&fd)).context("Failed to find the path of a cgroup")?;
        Self::of(File::from(fd), path)
    }

    fn of(file: File, path: PathBuf) -> Result<Self, EnrollError> {
        let kind = fstatfs(&file).with_context(|| format!("Failed to look at the cgroup {}", path.display()))?;
        if kind.filesystem_type() != CGROUP2_SUPER_MAGIC {
            return Err(EnrollError::NotACgroup { path });
        }
        // Only the root has no such file. The descriptor is asked, because the path may be another directory's by
        // now.
        if !proc_path(&file).join("cgroup.events").exists() {
            return Err(EnrollError::RootCgroup { path });
        }
        let metadata = file.metadata();
        let id = metadata
            .with_context(|| format!("Failed to look at the cgroup {}", path.display()))?
            .ino();
        Ok(Self { path, file, id })
    }

    /// Finds the pod's cgroup from inside one of its containers: the nearest one above this process's own that has
    /// the name of a pod.
    ///
    /// A container usually has a cgroup namespace and sees its own cgroup as the root. Then the host's hierarchy must
    /// be mounted somewhere too (a `hostPath` volume of `/sys/fs/cgroup`). This process's own cgroup is recognized in
    /// it by the id of this process.
    pub fn of_this_pod() -> Result<Self, EnrollError> {
        let own = own_directory_below_parent();
        let own = own.map_err(|error| EnrollError::UnknownCgroup { reason: format!("{error:#}") })?;
        match pod_cgroup::above(&own) {
            Ok(pod) => Self::open(&pod),
            Err(candidates) => Err(EnrollError::UnnamedCgroup { own, candidates }),
        }
    }

    /// Finds the cgroup that kubelet made for the pod with this UID, wherever cgroup2 is mounted here. An error if
    /// there are several, because only one of them can be the pod's.
    pub fn of_pod_with_uid(uid: &str) -> Result<Option<Self>, EnrollError> {
        let is_pods = |directory: &Path| {
            let name = directory.file_name().unwrap_or_default().to_string_lossy();
            pod_cgroup::is_of(&name, uid)
        };
        let mut found: Vec<Self> = Vec::new();
        for directory in mounts()?.iter().filter_map(|mount| find(mount, &is_pods)) {
            let cgroup = Self::open(&directory)?;
            // One hierarchy may be mounted several times.
            if found.iter().all(|known| known.id != cgroup.id) {
                found.push(cgroup);
            }
        }
        if let [one, other, ..] = found.as_slice() {
            let reason = format!("{} and {} both have the UID {uid}", one.path.display(), other.path.display());
            return Err(EnrollError::UnknownCgroup { reason });
        }
        Ok(found.pop())
    }

    /// The cgroup with this id, wherever cgroup2 is mounted here.
    pub fn with_id(id: u64) -> Result<Self, EnrollError> {
        let gone = || EnrollError::Gone { what: "cgroup", name: format!("with id {id}") };
        let cgroup = Self::open(&path_of(id).ok_or_else(gone)?)?;
        if cgroup.id == id { Ok(cgroup) } else { Err(gone()) }
    }

    /// A descriptor of its own of the directory.
    pub fn try_clone_to_owned(&self) -> Result<OwnedFd, EnrollError> {
        let file = self.file.try_clone();
        Ok(file
            .with_context(|| format!("Failed to open the cgroup {}", self.path.display()))?
            .into())
    }

    /// Its inode number, which the kernel calls its id.
    pub fn id(&self) -> u64 {
        self.id
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn file(&self) -> &File {
        &self.file
    }
}

/// Where the kernel shows the file of a descriptor.
fn proc_path(fd: &impl AsRawFd) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{}", fd.as_raw_fd()))
}

/// The directory of the cgroup with this id, if it is still there.
pub(crate) fn path_of(id: u64) -> Option<PathBuf> {
    let has_id = |directory: &Path| fs::metadata(directory).is_ok_and(|metadata| metadata.ino() == id);
    mounts().ok()?.iter().find_map(|mount| find(mount, &has_id))
}

/// All places where a cgroup2 hierarchy is mounted.
pub(crate) fn mounts() -> Result<Vec<PathBuf>> {
    let text = fs::read_to_string("/proc/self/mountinfo").context("Failed to read /proc/self/mountinfo")?;
    Ok(cgroup2_mounts(&text))
}

/// The mount points of cgroup2 in the text of a mountinfo file
/// ([proc(5)](https://man7.org/linux/man-pages/man5/proc_pid_mountinfo.5.html)).
pub(crate) fn cgroup2_mounts(mountinfo: &str) -> Vec<PathBuf> {
    mountinfo
        .lines()
        .filter_map(|line| {
            let (mount, kind) = line.split_once(" - ")?;
            kind.starts_with("cgroup2 ")
                .then(|| mount.split(' ').nth(4))?
                .map(|point| PathBuf::from(unescape(point)))
        })
        .collect()
}

/// Blanks and backslashes stand as octal escapes.
fn unescape(text: &str) -> String {
    [("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")]
        .iter()
        .fold(text.to_owned(), |text, (escape, character)| text.replace(escape, character))
}

/// The directory of this process's own cgroup.
pub(crate) fn own_directory() -> Result<PathBuf> {
    mounts()?
        .iter()
        .find_map(|mount| find(mount, &holds_this_process))
        .context("this process is in no cgroup2 file system that is mounted here")
}

/// The same, where its parent is visible too.
fn own_directory_below_parent() -> Result<PathBuf> {
    mounts()?
        .iter()
        .find_map(|mount| find(mount, &holds_this_process).filter(|own| own != mount))
        .context("the parent of this process's own cgroup is in no cgroup2 file system that is mounted here")
}

/// Process ids in these files are those of the reader's PID namespace, so this works in any container. A cgroup of
/// threads has no such list, and is none that a container lives in.
fn holds_this_process(directory: &Path) -> bool {
    let own = std::process::id().to_string();
    fs::read_to_string(directory.join("cgroup.procs")).is_ok_and(|ids| ids.lines().any(|id| id == own))
}

/// The first directory at or below `root` that is the one.
fn find(root: &Path, is_it: &dyn Fn(&Path) -> bool) -> Option<PathBuf> {
    let mut unvisited = vec![root.to_path_buf()];
    while let Some(directory) = unvisited.pop() {
        if is_it(&directory) {
            return Some(directory);
        }
        // A cgroup may go at any moment.
        unvisited.extend(subdirectories(&directory).unwrap_or_default());
    }
    None
}

fn subdirectories(directory: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            found.push(entry.path());
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_cgroup2_wherever_it_is_mounted() {
        let mountinfo = "\
30 23 0:26 / /sys/fs/cgroup ro,nosuid - tmpfs tmpfs ro,mode=755
31 30 0:27 / /sys/fs/cgroup/unified rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate
32 30 0:28 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory
77 23 0:27 /../.. /mnt/host\\040cgroup rw - cgroup2 cgroup2 rw
";
        assert_eq!(
            cgroup2_mounts(mountinfo),
            [PathBuf::from("/sys/fs/cgroup/unified"), PathBuf::from("/mnt/host cgroup")]
        );
    }
}
