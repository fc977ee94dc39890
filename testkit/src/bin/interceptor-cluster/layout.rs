// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The node's file tree: the paths that a node has, all of them in memory or below the node's own directory. So
//! nothing outlives the node's mount namespace but that directory.

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use testkit::cluster::CgroupMode;

const CGROUP: &str = "/sys/fs/cgroup";

/// kubelet sets these for the whole machine, as it wants them to be. On the node it finds them so.
const SYSCTLS: [(&str, &str); 6] = [
    ("vm/overcommit_memory", "1"),
    ("vm/panic_on_oom", "0"),
    ("kernel/panic", "10"),
    ("kernel/panic_on_oops", "1"),
    ("kernel/keys/root_maxkeys", "1000000"),
    ("kernel/keys/root_maxbytes", "25000000"),
];

/// Where the node's container runtime looks for plugins of CNI.
pub(crate) const CNI_BIN: &str = "/opt/cni/bin";

/// Mounts everything. The process has a mount namespace of its own.
pub(crate) fn lay_out(work: &Path, mode: CgroupMode) -> anyhow::Result<()> {
    mounted("proc", "/proc")?;
    // What is named there belongs to others, and would live as long as the node.
    while umount2("/run/netns", MntFlags::MNT_DETACH).is_ok() {}
    cgroups(work, mode)?;
    mounted("bpf", "/sys/fs/bpf")?;
    mounted("tmpfs", "/run")?;
    for (directory, on) in [("lib", "/var/lib"), ("opt", "/opt"), ("log", "/var/log")] {
        let directory = make(work.join(directory))?;
        bind(&directory, Path::new(on))?;
    }
    let [upper, scratch] = ["etc", "etc-work"].map(|name| work.join(name));
    let (upper, scratch) = (make(upper)?, make(scratch)?);
    let options = format!("lowerdir=/etc,upperdir={},workdir={}", upper.display(), scratch.display());
    mount(
        Some("overlay"),
        "/etc",
        Some("overlay"),
        MsFlags::empty(),
        Some(options.as_str()),
    )
    .context("mount an overlay on /etc")?;
    for directory in [
        "/run/netns",
        "/run/lock",
        "/var/lib/kubelet",
        "/var/lib/containerd",
        "/var/lib/cni",
        CNI_BIN,
        "/etc/cni/net.d",
    ] {
        make(directory.into())?;
    }
    sysctls(&make(work.join("sysctl"))?)?;
    cni_plugins()?;
    // Containers that ask for it see later mounts, and the node sees theirs.
    mount(
        None::<&str>,
        "/",
        None::<&str>,
        MsFlags::MS_REC | MsFlags::MS_SHARED,
        None::<&str>,
    )
    .context("share the mounts of /")
}

/// A sysfs of the new network namespace, and the hierarchies in it.
fn cgroups(work: &Path, mode: CgroupMode) -> anyhow::Result<()> {
    let aside = make(work.join("cgroup"))?;
    bind(Path::new(CGROUP), &aside)?;
    mounted("sysfs", "/sys")?;
    match mode {
        CgroupMode::Hybrid => bind(&aside, Path::new(CGROUP))?,
        CgroupMode::Unified => mounted("cgroup2", CGROUP)?,
    }
    umount2(&aside, MntFlags::MNT_DETACH).with_context(|| format!("unmount {}", aside.display()))
}

fn sysctls(directory: &Path) -> anyhow::Result<()> {
    for (name, value) in SYSCTLS {
        let file = directory.join(name.replace('/', "."));
        fs::write(&file, format!("{value}\n")).with_context(|| format!("write {}", file.display()))?;
        bind(&file, &Path::new("/proc/sys").join(name))?;
    }
    Ok(())
}

/// By symbolic links: a directory that installers may write to, with all that the system has.
fn cni_plugins() -> anyhow::Result<()> {
    let folder = testkit::cluster::cni_plugins()?;
    for entry in fs::read_dir(folder).with_context(|| format!("list {}", folder.display()))? {
        let entry = entry.with_context(|| format!("list {}", folder.display()))?;
        let link = Path::new(CNI_BIN).join(entry.file_name());
        symlink(entry.path(), &link).with_context(|| format!("make {}", link.display()))?;
    }
    Ok(())
}

fn make(directory: PathBuf) -> anyhow::Result<PathBuf> {
    fs::create_dir_all(&directory).with_context(|| format!("make {}", directory.display()))?;
    Ok(directory)
}

fn mounted(filesystem: &str, on: &str) -> anyhow::Result<()> {
    mount(Some(filesystem), on, Some(filesystem), MsFlags::empty(), None::<&str>)
        .with_context(|| format!("mount {filesystem} on {on}"))
}

fn bind(what: &Path, on: &Path) -> anyhow::Result<()> {
    mount(Some(what), on, None::<&str>, MsFlags::MS_BIND | MsFlags::MS_REC, None::<&str>)
        .with_context(|| format!("mount {} on {}", what.display(), on.display()))
}
