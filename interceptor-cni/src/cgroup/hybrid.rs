// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Nodes where kubelet uses the hierarchies of version 1, and cgroup2 is mounted beside them. There kubelet never
//! makes the pod's directory in cgroup2; runc does, after ADD, when it makes the first container
//! ([`cgroups/fs`](https://github.com/opencontainers/cgroups/blob/v0.0.4/fs/fs.go)), and keeps one that is there. So
//! the plugin makes it, with the path that it has in version 1. Nobody else would remove it, so DEL does.
//!
//! A late DEL of an old sandbox must not remove what a new sandbox of the same pod uses. So the directory carries the
//! id of the sandbox that used it last, as an attribute, and a lock keeps ADD and DEL apart while they look at it.

use std::{fs::File, io, os::fd::OwnedFd, path::Path, time::Duration, time::Instant};

use rustix::{
    fs::{AtFlags, FlockOperation, Mode, XattrFlags, fgetxattr, flock, fsetxattr, mkdirat, unlinkat},
    io::Errno,
};

use super::{
    tree::{Tree, open_in},
    wanted::Wanted,
};
use crate::{
    error::{CniError, code},
    run_dir::RunDir,
};

/// Where runc looks for cgroup2 beside version 1; it joins no other place.
const JOINED: &str = "/sys/fs/cgroup/unified";

/// Whose sandbox used the directory last. Only root reads and writes such attributes
/// ([xattr(7)](https://man7.org/linux/man-pages/man7/xattr.7.html)).
const USED_BY: &str = "trusted.interceptor.sandbox";

const LOCK: &str = "cgroups.lock";

/// Another plugin holds the lock for less than a millisecond.
const PATIENCE: Duration = Duration::from_millis(500);

pub(crate) fn is_joined(tree: &Tree) -> bool {
    tree.mount == Path::new(JOINED)
}

/// Makes the directory, if it is missing, for this container.
pub(crate) fn make(tree: &Tree, relative: &str, wanted: &Wanted<'_>) -> Result<OwnedFd, CniError> {
    let _lock = lock(wanted.run_dir)?;
    let failed = |error| tree.failed("make", relative, error);
    let mut path = String::new();
    for name in relative.split('/') {
        path = if path.is_empty() { name.to_owned() } else { format!("{path}/{name}") };
        match mkdirat(tree, &path, Mode::from_raw_mode(0o755)) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(error) => return Err(failed(error)),
        }
    }
    let directory = open_in(tree, relative).map_err(failed)?;
    let id = wanted.container_id.as_str().as_bytes();
    if let Err(error) = fsetxattr(&directory, USED_BY, id, XattrFlags::empty()) {
        // Without the attribute, nobody would remove it. If a container is in it, it stays.
        unlinkat(tree, relative, AtFlags::REMOVEDIR).unwrap_or_default();
        return Err(failed(error));
    }
    Ok(directory)
}

/// Removes the directory if this container used it last, and nobody is in it. The directories above it stay.
pub(crate) fn remove(tree: &Tree, relative: &str, wanted: &Wanted<'_>) -> Result<bool, CniError> {
    let Some(directory) = tree.open(relative)? else { return Ok(false) };
    if !is_used_by(&directory, wanted).map_err(|error| tree.failed("look at", relative, error))? {
        return Ok(false);
    }
    let _lock = lock(wanted.run_dir)?;
    // Before the lock was taken, a new sandbox may have begun to use it.
    if !is_used_by(&directory, wanted).map_err(|error| tree.failed("look at", relative, error))? {
        return Ok(false);
    }
    match unlinkat(tree, relative, AtFlags::REMOVEDIR) {
        Ok(()) => Ok(true),
        // A container is in it, or somebody else removed it.
        Err(Errno::BUSY | Errno::NOTEMPTY | Errno::NOENT) => Ok(false),
        Err(error) => Err(tree.failed("remove", relative, error)),
    }
}

fn is_used_by(directory: &OwnedFd, wanted: &Wanted<'_>) -> rustix::io::Result<bool> {
    let id = wanted.container_id.as_str().as_bytes();
    let mut value = [0; 256];
    match fgetxattr(directory, USED_BY, &mut value[..]) {
        Ok(length) => Ok(&value[..length] == id),
        // Another one's is longer than any of ours.
        Err(Errno::NODATA | Errno::RANGE) => Ok(false),
        Err(error) => Err(error),
    }
}

/// A file that only this user can open, so nobody else can hold the lock.
fn lock(run_dir: &Path) -> Result<File, CniError> {
    let failed = |error: &io::Error| {
        CniError::new(
            code::CGROUP,
            format!(
                "The lock {} for making the pod's cgroup cannot be had: {error}; kubelet tries again",
                run_dir.join(LOCK).display()
            ),
        )
    };
    let file = RunDir::open(run_dir)
        .and_then(|run_dir| run_dir.file(LOCK))
        .map_err(|error| failed(&error))?;
    let deadline = Instant::now() + PATIENCE;
    loop {
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(file),
            Err(Errno::WOULDBLOCK) if Instant::now() < deadline => pause(),
            Err(error) => return Err(failed(&error.into())),
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the kernel waits for a lock without a limit, or not at all"
)]
fn pause() {
    std::thread::sleep(Duration::from_millis(5));
}
