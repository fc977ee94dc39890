// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A process as `/proc` shows it. Its directory stays open: what is read there is of this very process, and never of
//! another one that has got its number. A process may end at any moment, and then everything fails.

use std::{
    fs::{self, File, OpenOptions},
    io,
    os::{
        fd::{AsRawFd as _, RawFd},
        unix::fs::{MetadataExt as _, OpenOptionsExt as _},
    },
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
use nix::libc::{O_DIRECTORY, O_PATH};

/// Where Istio's `DaemonSet`, and ours, mount the processes of the host into the container
/// (`manifests/charts/istio-cni/templates/daemonset.yaml` of istio/istio).
const HOST_PROCESSES: &str = "/host/proc";

/// The processes of the host, if a container shows them; otherwise those that are visible here.
pub fn processes() -> &'static Path {
    let of_the_host = Path::new(HOST_PROCESSES);
    if of_the_host.is_dir() { of_the_host } else { Path::new("/proc") }
}

/// A process that is visible here.
pub(crate) struct OpenProcess {
    pub(crate) pid: i32,
    directory: File,
}

/// With which credentials a process makes files and sockets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Credentials {
    pub(crate) fsuid: u32,
    pub(crate) fsgid: u32,
}

impl OpenProcess {
    /// All processes that are visible to this one. One that has ended meanwhile is left out.
    pub(crate) fn all() -> Result<impl Iterator<Item = Self>> {
        Self::listed_in(Path::new("/proc"))
    }

    /// The same, of those that are listed in `proc`. Their numbers may mean other processes to this one.
    pub(crate) fn listed_in(proc: &Path) -> Result<impl Iterator<Item = Self>> {
        let entries: io::Result<Vec<fs::DirEntry>> = fs::read_dir(proc).and_then(Iterator::collect);
        let entries = entries.with_context(|| format!("Failed to list {}", proc.display()))?;
        let pid = |entry: &fs::DirEntry| entry.file_name().to_str()?.parse().ok();
        Ok(entries
            .into_iter()
            .filter_map(move |entry| Self::open(pid(&entry)?, &entry.path())))
    }

    fn open(pid: i32, path: &Path) -> Option<Self> {
        let mut options = OpenOptions::new();
        options.read(true).custom_flags(O_PATH | O_DIRECTORY);
        Some(Self { pid, directory: options.open(path).ok()? })
    }

    fn path(&self, name: &str) -> PathBuf {
        PathBuf::from(format!("/proc/self/fd/{}/{name}", self.directory.as_raw_fd()))
    }

    /// The inode number of its `net`, `user`, … namespace.
    pub(crate) fn namespace(&self, kind: &str) -> Option<u64> {
        Some(fs::metadata(self.path(&format!("ns/{kind}"))).ok()?.ino())
    }

    pub(crate) fn read(&self, name: &str) -> io::Result<String> {
        fs::read_to_string(self.path(name))
    }

    /// In the numbers of this process's own user namespace.
    pub(crate) fn credentials(&self) -> Option<Credentials> {
        let status = self.read("status").ok()?;
        Some(Credentials { fsuid: last_id(&status, "Uid:")?, fsgid: last_id(&status, "Gid:")? })
    }

    /// Its descriptors of the socket with this inode number.
    pub(crate) fn descriptors_of(&self, socket: u64) -> impl Iterator<Item = RawFd> + use<> {
        let target = PathBuf::from(format!("socket:[{socket}]"));
        let entries = fs::read_dir(self.path("fd")).into_iter().flatten().flatten();
        entries.filter_map(move |entry| {
            let is_it = fs::read_link(entry.path()).is_ok_and(|link| link == target);
            is_it.then(|| entry.file_name().to_str()?.parse().ok())?
        })
    }

    /// Whether it had not ended yet. Then its number is still its own.
    pub(crate) fn is_there(&self) -> bool {
        fs::metadata(self.path("status")).is_ok()
    }
}

/// The last of the ids on one line of `/proc/PID/status`: real, effective, saved, file system
/// ([proc(5)](https://man7.org/linux/man-pages/man5/proc_pid_status.5.html)).
fn last_id(status: &str, name: &str) -> Option<u32> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next_back()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::{net::TcpListener, process::Command};

    use super::*;

    fn this_process() -> OpenProcess {
        OpenProcess::open(std::process::id().cast_signed(), Path::new("/proc/self")).unwrap()
    }

    #[test]
    fn the_last_id_of_a_line_is_that_of_the_file_system() {
        let status = "Name:\tx\nUid:\t1\t2\t3\t4\nGid:\t5\t6\t7\t8\nGroups:\t1337\n";
        assert_eq!((last_id(status, "Uid:"), last_id(status, "Gid:")), (Some(4), Some(8)));
        assert_eq!(last_id("Name:\tx\n", "Uid:"), None);
    }

    #[test]
    fn this_process_has_its_own_socket_and_credentials() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let inode = nix::sys::stat::fstat(&listener).unwrap().st_ino;
        let process = this_process();
        assert_eq!(process.descriptors_of(inode).collect::<Vec<_>>(), [listener.as_raw_fd()]);
        let own = Credentials { fsuid: nix::unistd::geteuid().as_raw(), fsgid: nix::unistd::getegid().as_raw() };
        assert_eq!(process.credentials(), Some(own));
        assert!(OpenProcess::all().unwrap().any(|other| other.pid == process.pid));
    }

    #[test]
    fn nothing_is_read_of_a_process_that_has_ended() {
        let mut child = Command::new("sleep").arg("60").spawn().unwrap();
        let path = format!("/proc/{}", child.id());
        let process = OpenProcess::open(child.id().cast_signed(), path.as_ref()).unwrap();
        assert!(process.is_there() && process.namespace("user").is_some());
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(!process.is_there());
        assert_eq!((process.credentials(), process.namespace("user")), (None, None));
        assert!(process.read("uid_map").is_err());
        assert_eq!(process.descriptors_of(1).next(), None);
    }
}
