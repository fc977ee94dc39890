// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The file systems of a comparison: one for pins, one that shows cgroups, and one for small files.

use std::{fs, path::PathBuf};

use anyhow::Context as _;
use nix::{
    mount::{MntFlags, MsFlags, mount, umount2},
    sched::{CloneFlags, unshare},
};

/// It is there with every kernel that has BPF. What is mounted there is hidden, and only in this mount namespace.
const ROOT: &str = "/sys/fs/bpf";

pub(super) struct Mounts {
    root: PathBuf,
}

impl Mounts {
    pub(super) fn new() -> anyhow::Result<Self> {
        unshare(CloneFlags::CLONE_NEWNS).context("make a mount namespace (this needs CAP_SYS_ADMIN)")?;
        let private = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
        mount(None::<&str>, "/", None::<&str>, private, None::<&str>).context("keep mounts to ourselves")?;
        let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
        mount(Some("interceptor-verify"), ROOT, Some("tmpfs"), flags, Some("mode=0755"))
            .with_context(|| format!("mount a tmpfs at {ROOT}"))?;
        // From here on the drop takes it away.
        let mounts = Self { root: PathBuf::from(ROOT) };
        for (path, kind) in [(mounts.bpffs(), "bpf"), (mounts.cgroups(), "cgroup2")] {
            fs::create_dir(&path).with_context(|| format!("make {}", path.display()))?;
            mount(Some(kind), &path, Some(kind), flags, None::<&str>)
                .with_context(|| format!("mount {kind} at {}", path.display()))?;
        }
        fs::create_dir(mounts.files()).with_context(|| format!("make {}", mounts.files().display()))?;
        Ok(mounts)
    }

    pub(super) fn bpffs(&self) -> PathBuf {
        self.root.join("bpffs")
    }

    pub(super) fn cgroups(&self) -> PathBuf {
        self.root.join("cgroup")
    }

    pub(super) fn files(&self) -> PathBuf {
        self.root.join("files")
    }
}

impl Drop for Mounts {
    fn drop(&mut self) {
        // What stays mounted goes with the mount namespace.
        for path in [self.bpffs(), self.cgroups(), self.root.clone()] {
            umount2(&path, MntFlags::MNT_DETACH).unwrap_or_default();
        }
    }
}
