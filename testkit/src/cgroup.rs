// SPDX-License-Identifier: Apache-2.0 OR MIT
//! cgroup2 directories.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use crate::wait::try_wait_until;

/// Where cgroup2 is mounted: on hybrid systems not at `/sys/fs/cgroup`.
pub fn mount_point() -> PathBuf {
    let mounts = fs::read_to_string("/proc/self/mountinfo").expect("read /proc/self/mountinfo");
    mounts
        .lines()
        .find_map(cgroup2_mount)
        .expect("a cgroup2 mount in /proc/self/mountinfo")
}

/// `41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw` → `/sys/fs/cgroup/unified`
fn cgroup2_mount(line: &str) -> Option<PathBuf> {
    let (mount, filesystem) = line.split_once(" - ")?;
    filesystem
        .starts_with("cgroup2 ")
        .then(|| mount.split(' ').nth(4).map(PathBuf::from))?
}

/// Kills every process in `directory` and below, and returns when none is left.
pub(crate) fn kill_all(directory: &Path) -> Result<(), String> {
    try_wait_until("the processes of a cgroup end", || {
        let pids = processes(directory);
        for pid in &pids {
            // It may have ended since; the next look tells.
            kill(*pid, Signal::SIGKILL).unwrap_or_default();
        }
        pids.is_empty()
    })
}

/// Removes `directory` and everything below it.
pub(crate) fn remove(directory: &Path) -> io::Result<()> {
    for child in children(directory) {
        remove(&child)?;
    }
    match fs::remove_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

fn processes(directory: &Path) -> Vec<Pid> {
    let own = fs::read_to_string(directory.join("cgroup.procs")).unwrap_or_default();
    let own = own.lines().filter_map(|line| line.parse().ok()).map(Pid::from_raw);
    own.chain(children(directory).iter().flat_map(|child| processes(child)))
        .collect()
}

fn children(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).filter(|path| path.is_dir()).collect()
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::cgroup2_mount;

    #[test]
    fn the_mount_point_is_the_fifth_field() {
        let line = "41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw";
        assert_eq!(cgroup2_mount(line), Some(PathBuf::from("/sys/fs/cgroup/unified")));
        assert_eq!(
            cgroup2_mount("32 31 0:29 / /sys/fs/cgroup/cpu rw,relatime - cgroup cgroup rw,cpu"),
            None
        );
    }
}
