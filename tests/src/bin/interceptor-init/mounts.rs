// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The file systems that the tests need in the machine. Nothing is mounted twice.

use std::{fs, os::unix::fs::symlink};

use anyhow::{Context as _, Result};
use nix::mount::{MsFlags, mount};

/// File systems without a device, in the order in which they have to be mounted.
const MOUNTS: [(&str, &str); 8] = [
    ("proc", "/proc"),
    ("sysfs", "/sys"),
    ("devtmpfs", "/dev"),
    ("devpts", "/dev/pts"),
    ("tmpfs", "/dev/shm"),
    ("tmpfs", "/run"),
    ("cgroup2", "/sys/fs/cgroup"),
    ("bpf", "/sys/fs/bpf"),
];

/// Mounts them all, and makes what goes with them.
pub(crate) fn mount_all() -> Result<()> {
    for (kind, directory) in MOUNTS {
        fs::create_dir_all(directory).with_context(|| format!("make {directory}"))?;
        mount(Some(kind), directory, Some(kind), MsFlags::empty(), None::<&str>)
            .with_context(|| format!("mount {kind} on {directory}"))?;
    }
    // Other systems have it from udev.
    symlink("/proc/self/fd", "/dev/fd").context("make /dev/fd")?;
    Ok(())
}
