// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What a test has for a node: a run directory, cgroup file systems as kubelet finds them, and a network namespace for
//! the pod. The mounts are those of the test's own thread; nobody else sees them.

use std::{
    fs::{self, File},
    io,
    os::fd::AsRawFd as _,
    panic::resume_unwind,
    path::{Path, PathBuf},
    process::id,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};

use nix::{
    mount::{MntFlags, MsFlags, mount, umount2},
    sched::{CloneFlags, unshare},
};
use tempfile::TempDir;

/// Of every pod here.
pub(crate) const UID: &str = "12345678-90ab-cdef-1234-567890abcdef";

const NETNS: &str = "netns";

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cgroups {
    /// cgroup2 at `/sys/fs/cgroup`.
    Unified,
    /// A hierarchy of version 1, and cgroup2 at `/sys/fs/cgroup/unified`. A pod network has mounted it elsewhere too.
    Hybrid,
    /// A hierarchy of version 1 only.
    Version1,
}

pub(crate) struct Node {
    work: TempDir,
    cgroups: Cgroups,
    /// Below which this test's cgroups are, in each hierarchy.
    root: String,
    /// Where the pod's network namespace is mounted, as runtimes do.
    netns: TempDir,
}

/// Runs the test on a node of its own.
pub(crate) fn on(cgroups: Cgroups, test: impl FnOnce(&Node) + Send) {
    thread::scope(|scope| {
        let test = scope.spawn(|| {
            let node = Node::new(cgroups);
            test(&node);
        });
        test.join().unwrap_or_else(|panic| resume_unwind(panic));
    });
}

impl Node {
    fn new(cgroups: Cgroups) -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        unshare(CloneFlags::CLONE_NEWNS).expect("these tests need root: they make mounts, cgroups and namespaces");
        mount(
            None::<&str>,
            "/",
            None::<&str>,
            MsFlags::MS_REC | MsFlags::MS_PRIVATE,
            None::<&str>,
        )
        .unwrap();
        let node = Self {
            work: tempfile::tempdir().unwrap(),
            cgroups,
            root: format!("interceptor_cni_{}_{}", id(), COUNT.fetch_add(1, Ordering::Relaxed)),
            netns: mounted_netns(),
        };
        match cgroups {
            Cgroups::Unified => mount_cgroup2("/sys/fs/cgroup"),
            Cgroups::Hybrid => {
                mount_version1();
                fs::create_dir("/sys/fs/cgroup/elsewhere").unwrap();
                mount_cgroup2("/sys/fs/cgroup/elsewhere");
                mount_cgroup2("/sys/fs/cgroup/unified");
            }
            Cgroups::Version1 => mount_version1(),
        }
        for hierarchy in node.hierarchies() {
            fs::create_dir(hierarchy.join(&node.root)).unwrap();
            fs::create_dir(hierarchy.join(node.slice())).unwrap();
        }
        node
    }

    fn hierarchies(&self) -> Vec<&Path> {
        let (version1, unified) = (Path::new("/sys/fs/cgroup/version1"), Path::new("/sys/fs/cgroup/unified"));
        match self.cgroups {
            Cgroups::Unified => vec![Path::new("/sys/fs/cgroup")],
            Cgroups::Hybrid => vec![unified, version1],
            Cgroups::Version1 => vec![version1],
        }
    }

    /// The agent's run directory.
    pub(crate) fn run_dir(&self) -> &Path {
        self.work.path()
    }

    /// kubelet's `--cgroup-root`.
    pub(crate) fn root(&self) -> String {
        format!("/{}", self.root)
    }

    /// What `root` is called by systemd.
    pub(crate) fn slice(&self) -> String {
        format!("{}.slice", self.root)
    }

    /// A directory in the tree of cgroup2.
    pub(crate) fn cgroup2(&self, relative: &str) -> PathBuf {
        assert!(self.cgroups != Cgroups::Version1);
        self.hierarchies()[0].join(&self.root).join(relative)
    }

    /// A directory in the hierarchy of version 1.
    pub(crate) fn version1(&self, relative: &str) -> PathBuf {
        assert!(self.cgroups != Cgroups::Unified);
        self.hierarchies().pop().unwrap().join(&self.root).join(relative)
    }

    /// A path of the pod's network namespace.
    pub(crate) fn netns(&self) -> String {
        self.netns.path().join(NETNS).display().to_string()
    }

    /// The same, with the pod's cgroup.
    pub(crate) fn with_cgroup(&self) -> &Self {
        fs::create_dir_all(self.cgroup2(&burstable())).unwrap();
        self
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        umount2(&self.netns.path().join(NETNS), MntFlags::MNT_DETACH).unwrap();
        for hierarchy in self.hierarchies() {
            for directory in [hierarchy.join(&self.root), hierarchy.join(self.slice())] {
                if let Err(error) = remove(&directory)
                    && !thread::panicking()
                {
                    panic!("remove {}: {error}", directory.display());
                }
            }
        }
    }
}

pub(crate) fn burstable() -> String {
    format!("kubepods/burstable/pod{UID}")
}

fn mounted_netns() -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join(NETNS);
    File::create(&path).unwrap();
    let netns = new_netns();
    let source = format!("/proc/self/fd/{}", netns.as_raw_fd());
    mount(Some(source.as_str()), &path, None::<&str>, MsFlags::MS_BIND, None::<&str>).unwrap();
    directory
}

fn new_netns() -> File {
    thread::spawn(|| {
        unshare(CloneFlags::CLONE_NEWNET).unwrap();
        File::open("/proc/thread-self/ns/net").unwrap()
    })
    .join()
    .unwrap()
}

fn mount_cgroup2(at: &str) {
    mount(Some("cgroup2"), at, Some("cgroup2"), MsFlags::empty(), None::<&str>).unwrap();
}

/// Its hierarchy has no controllers, because those are in use elsewhere on this machine.
fn mount_version1() {
    mount(Some("tmpfs"), "/sys/fs/cgroup", Some("tmpfs"), MsFlags::empty(), None::<&str>).unwrap();
    fs::create_dir("/sys/fs/cgroup/unified").unwrap();
    fs::create_dir("/sys/fs/cgroup/version1").unwrap();
    let options = Some("none,name=interceptor-cni");
    mount(
        Some("cgroup"),
        "/sys/fs/cgroup/version1",
        Some("cgroup"),
        MsFlags::empty(),
        options,
    )
    .unwrap();
}

fn remove(directory: &Path) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            remove(&entry.path())?;
        }
    }
    fs::remove_dir(directory)
}
