// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Where, and as whom, a process runs.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process,
};

use anyhow::Context as _;
use clap::Args;
use nix::{
    mount::{MsFlags, mount},
    sched::{CloneFlags, setns, unshare},
    sys::{
        prctl::set_pdeathsig,
        resource::{Resource, getrlimit, setrlimit},
        signal::Signal,
    },
    unistd::{Gid, Uid, setgroups, setresgid, setresuid},
};

/// Where, and as whom, to run.
#[derive(Args)]
pub struct Launch {
    /// Network namespace: a path, or a name of `ip netns`
    #[arg(long, value_name = "NAME|PATH")]
    netns: Option<PathBuf>,
    /// Make a network namespace, which has no name
    #[arg(long, conflicts_with = "netns")]
    new_netns: bool,
    /// cgroup2 directory to move to
    #[arg(long, value_name = "DIR")]
    cgroup: Option<PathBuf>,
    /// A file that is seen in place of the one at PATH
    #[arg(long = "instead", value_name = "FILE:PATH")]
    files: Vec<String>,
    /// User to become
    #[arg(long)]
    uid: Option<u32>,
    /// Group to become
    #[arg(long)]
    gid: Option<u32>,
    /// Supplementary group; without any, all are given up
    #[arg(long = "group", value_name = "GID")]
    groups: Vec<u32>,
}

impl Launch {
    /// Another place, as root.
    pub const fn of_place(netns: Option<PathBuf>, cgroup: Option<PathBuf>) -> Self {
        Self {
            netns,
            new_netns: false,
            cgroup,
            files: Vec::new(),
            uid: None,
            gid: None,
            groups: Vec::new(),
        }
    }

    /// Goes to the cgroup and the namespace, still as root.
    pub fn enter(&self) -> anyhow::Result<()> {
        if let Some(cgroup) = &self.cgroup {
            let members = cgroup.join("cgroup.procs");
            fs::write(&members, process::id().to_string()).with_context(|| format!("move to {}", members.display()))?;
        }
        if let Some(netns) = &self.netns {
            // A name without a slash is one of `ip netns`; an absolute path replaces the base.
            let path = Path::new("/run/netns").join(netns);
            let file = File::open(&path).with_context(|| format!("open {}", path.display()))?;
            setns(file, CloneFlags::CLONE_NEWNET).with_context(|| format!("enter {}", path.display()))?;
        }
        if self.new_netns {
            unshare(CloneFlags::CLONE_NEWNET).context("make a network namespace")?;
        }
        self.replace_files()?;
        // As many connections as root allows.
        let (_, most) = getrlimit(Resource::RLIMIT_NOFILE).context("ask for the limit of open files")?;
        setrlimit(Resource::RLIMIT_NOFILE, most, most).context("raise the limit of open files")
    }

    /// In a mount namespace of its own, so that nobody else sees it.
    fn replace_files(&self) -> anyhow::Result<()> {
        if self.files.is_empty() {
            return Ok(());
        }
        unshare(CloneFlags::CLONE_NEWNS).context("make a mount namespace")?;
        mount(
            None::<&str>,
            "/",
            None::<&str>,
            MsFlags::MS_REC | MsFlags::MS_PRIVATE,
            None::<&str>,
        )
        .context("keep mounts to ourselves")?;
        for replacement in &self.files {
            let (file, path) = replacement
                .split_once(':')
                .with_context(|| format!("{replacement:?} is not FILE:PATH"))?;
            mount(Some(file), path, None::<&str>, MsFlags::MS_BIND, None::<&str>)
                .with_context(|| format!("mount {file} over {path}"))?;
        }
        Ok(())
    }

    /// Becomes the user for good, and ends when the parent does.
    pub fn assume_user(&self) -> anyhow::Result<()> {
        if self.uid.is_some() || self.gid.is_some() || !self.groups.is_empty() {
            let groups: Vec<Gid> = self.groups.iter().copied().map(Gid::from_raw).collect();
            setgroups(&groups).context("set the supplementary groups")?;
        }
        if let Some(gid) = self.gid.map(Gid::from_raw) {
            setresgid(gid, gid, gid).with_context(|| format!("become group {gid}"))?;
        }
        if let Some(uid) = self.uid.map(Uid::from_raw) {
            setresuid(uid, uid, uid).with_context(|| format!("become user {uid}"))?;
        }
        // Changing user clears it, so it comes last.
        set_pdeathsig(Signal::SIGKILL).context("tie this process to its parent")
    }
}
