// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The lock that runs of this program exclude each other with. It is never waited for without a limit.

use std::{
    fs::{self, File, Metadata},
    os::unix::fs::MetadataExt as _,
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use nix::{
    fcntl::{Flock, FlockArg},
    poll::{PollTimeout, poll},
    sys::stat::{major, minor},
};

use crate::{
    EnrollError, Process,
    kernel::{node::bpffs::Home, sys::tree::open_directory},
};

/// Held while pins or maps are written. The kernel releases it if the holder dies.
///
/// What is locked is the directory of ours in the BPF file system. Its mode is 0700, so no other user can open it,
/// and so none can lock it.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: Flock<File>,
}

/// How long to wait between two tries, in milliseconds.
const PAUSE: u16 = 10;

impl Lock {
    /// Takes the lock. Fails with [`EnrollError::Busy`] if another process still holds it after `wait`.
    pub(crate) fn take(home: &Home, wait: Duration) -> Result<Self> {
        let deadline = Instant::now() + wait;
        let path = home.path();
        loop {
            home.create()?;
            let file = match open_directory(path) {
                Ok(directory) => File::from(directory),
                Err(nix::Error::ENOENT) => continue, // another run has just removed it
                Err(errno) => return Err(errno).with_context(|| format!("Failed to open {}", path.display())),
            };
            let holder = match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
                Ok(file) if is_still_at(&file, path) => return Ok(Self { _file: file }),
                Ok(_removed) => continue,
                Err((file, nix::Error::EWOULDBLOCK | nix::Error::EINTR)) => file,
                Err((_, errno)) => return Err(errno).with_context(|| format!("Failed to lock {}", path.display())),
            };
            if Instant::now() >= deadline {
                let holder = holder_of(&holder).unwrap_or_default();
                return Err(EnrollError::Busy { path: path.to_path_buf(), waited: wait, holder }.into());
            }
            // A signal only makes the next try come earlier.
            poll(&mut [], PollTimeout::from(PAUSE)).unwrap_or_default();
        }
    }
}

/// Whether a directory is still the one at `path`. A run that removed the last pod removes the directory as well.
fn is_still_at(file: &File, path: &Path) -> bool {
    let same = |open: Metadata, named: Metadata| (open.dev(), open.ino()) == (named.dev(), named.ino());
    file.metadata()
        .ok()
        .zip(fs::symlink_metadata(path).ok())
        .is_some_and(|(open, named)| same(open, named))
}

/// The process that holds the lock of a file, if it is visible from here.
fn holder_of(file: &File) -> Result<Option<Process>> {
    let metadata = file.metadata().context("Failed to look at the lock")?;
    let (device, inode) = (metadata.dev(), metadata.ino());
    let locked = format!("{:02x}:{:02x}:{inode}", major(device), minor(device));
    let locks = fs::read_to_string("/proc/locks").context("Failed to read /proc/locks")?;
    Ok(holder_in(&locks, &locked).map(|pid| {
        let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
        Process { pid, name: name.trim_end().to_owned() }
    }))
}

/// The process that has locked the file `MAJOR:MINOR:INODE`, in the text of `/proc/locks`
/// ([proc(5)](https://man7.org/linux/man-pages/man5/proc_locks.5.html)). A process in another PID namespace has no
/// number there.
pub(crate) fn holder_in(locks: &str, locked: &str) -> Option<i32> {
    locks.lines().find_map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [_, "FLOCK", _, _, pid, file, ..] = words.as_slice() else { return None };
        pid.parse().ok().filter(|pid| *file == locked && *pid > 0)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOCKS: &str = "\
1: POSIX  ADVISORY  WRITE 700 08:01:12 0 EOF
2: FLOCK  ADVISORY  WRITE 4711 00:1f:12 0 EOF
2: -> FLOCK  ADVISORY  WRITE 4712 00:1f:12 0 EOF
3: FLOCK  ADVISORY  WRITE 0 00:1f:99 0 EOF
";

    #[test]
    fn the_holder_of_a_lock_is_found() {
        assert_eq!(holder_in(LOCKS, "00:1f:12"), Some(4711));
        assert_eq!(holder_in(LOCKS, "00:20:12"), None);
    }

    #[test]
    fn a_holder_in_another_pid_namespace_has_no_number() {
        assert_eq!(holder_in(LOCKS, "00:1f:99"), None);
    }

    #[test]
    fn a_held_lock_is_given_up_on_and_its_holder_is_named() {
        let work = tempfile::tempdir().unwrap();
        let home = Home::at(&work.path().join("interceptor"));
        let _held = Lock::take(&home, Duration::ZERO).unwrap();
        let error = Lock::take(&home, Duration::from_millis(20)).unwrap_err();
        let Some(EnrollError::Busy { holder: Some(holder), .. }) = error.downcast_ref() else {
            panic!("{error:#}")
        };
        assert_eq!(holder.pid, i32::try_from(std::process::id()).unwrap());
    }
}
