// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The cgroup of a comparison. It is locked while its owner lives, so the next one knows what nobody owns any more.

use std::{
    fs::{self, File},
    io,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    process,
    sync::atomic::{AtomicUsize, Ordering},
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};
use nix::{
    fcntl::{Flock, FlockArg},
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use super::process::pause;

const PREFIX: &str = "interceptor-verify-";
/// How long killed processes may take to end.
const KILLED: Duration = Duration::from_secs(30);

/// A cgroup below the root that this process sees, and the lock on its directory.
pub(super) struct OwnCgroup {
    path: PathBuf,
    _lock: Flock<File>,
}

impl OwnCgroup {
    /// Also removes what comparisons left that were killed.
    pub(super) fn new(root: &Path) -> anyhow::Result<Self> {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        remove_abandoned(root);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = root.join(format!("{PREFIX}{}-{number}", process::id()));
        // Somebody else may remove it before it is locked.
        for _attempt in 0..10 {
            match fs::create_dir(&path) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                made => made.with_context(|| format!("make the cgroup {}", path.display()))?,
            }
            if let Some(lock) = lock(&path)
                && is_at(&lock, &path)
            {
                return Ok(Self { path, _lock: lock });
            }
        }
        bail!("cannot lock the cgroup {}: somebody else holds it", path.display())
    }

    pub(super) fn below(&self, name: &str) -> anyhow::Result<PathBuf> {
        // A place of this name may have been there before.
        let names = (1..).map(|number| if number == 1 { name.to_owned() } else { format!("{name}-{number}") });
        let path = names.map(|name| self.path.join(name)).find(|path| !path.exists());
        let path = path.context("a name for a cgroup")?;
        fs::create_dir(&path).with_context(|| format!("make the cgroup {}", path.display()))?;
        Ok(path)
    }
}

impl Drop for OwnCgroup {
    #[expect(clippy::print_stderr, reason = "nobody else can say it any more")]
    fn drop(&mut self) {
        if let Err(error) = remove(&self.path) {
            eprintln!("interceptor-verify: warning: {error:#}; the next comparison removes it");
        }
    }
}

/// What cannot be removed now is left to the next one.
fn remove_abandoned(root: &Path) {
    let abandoned = children(root).into_iter().filter(|path| {
        let name = path.file_name().and_then(|name| name.to_str());
        name.is_some_and(|name| name.starts_with(PREFIX))
    });
    for path in abandoned {
        if let Some(_lock) = lock(&path) {
            remove(&path).unwrap_or_default();
        }
    }
}

fn lock(path: &Path) -> Option<Flock<File>> {
    Flock::lock(File::open(path).ok()?, FlockArg::LockExclusiveNonblock).ok()
}

fn is_at(file: &File, path: &Path) -> bool {
    let inode = |metadata: io::Result<fs::Metadata>| metadata.map(|metadata| metadata.ino()).ok();
    inode(file.metadata()) == inode(fs::metadata(path))
}

/// Kills every process in it and below, and removes it.
fn remove(path: &Path) -> anyhow::Result<()> {
    let deadline = Instant::now() + KILLED;
    loop {
        let pids = processes(path);
        if pids.is_empty() {
            break;
        }
        for pid in &pids {
            // It may have ended since; the next look tells.
            kill(*pid, Signal::SIGKILL).unwrap_or_default();
        }
        if Instant::now() > deadline {
            bail!("the processes {pids:?} of {} do not end", path.display());
        }
        pause();
    }
    remove_directories(path).with_context(|| format!("remove the cgroup {}", path.display()))
}

fn remove_directories(path: &Path) -> io::Result<()> {
    children(path).iter().try_for_each(|child| remove_directories(child))?;
    match fs::remove_dir(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

/// A process of another PID namespace is shown as 0, and killed by nobody here.
fn processes(path: &Path) -> Vec<Pid> {
    let own = fs::read_to_string(path.join("cgroup.procs")).unwrap_or_default();
    let own = own
        .lines()
        .filter_map(|line| line.parse().ok())
        .filter(|pid| *pid > 0)
        .map(Pid::from_raw);
    own.chain(children(path).iter().flat_map(|child| processes(child))).collect()
}

fn children(path: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(path).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).filter(|path| path.is_dir()).collect()
}
