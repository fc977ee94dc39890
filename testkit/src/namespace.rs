// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Network namespaces, connected by veth pairs. They are made and removed by a node.

use std::{
    fmt::Write as _,
    path::{Path, PathBuf},
    process::Command,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use crate::{interceptor::Run, launcher::Launcher, wait::wait_until};

/// A network namespace, and a cgroup for the processes in it.
#[derive(Clone)]
pub struct Namespace {
    name: String,
    cgroup: PathBuf,
    tools: PathBuf,
}

impl Namespace {
    pub(crate) fn new(name: String, cgroup: PathBuf, tools: &Path) -> Self {
        Self { name, cgroup, tools: tools.to_owned() }
    }

    pub(crate) fn create(&self) {
        // The first `ip netns add` of a machine makes /run/netns a mount of its own, and two at once trip over each
        // other.
        static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
        let _guard = ONE_AT_A_TIME.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        Run::of_line(&["ip", "netns", "add", &self.name]).expect_success();
        self.ip("link set lo up");
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// For `--netns`.
    pub fn path(&self) -> PathBuf {
        Path::new("/run/netns").join(&self.name)
    }

    pub fn cgroup(&self) -> &Path {
        &self.cgroup
    }

    /// Runs `ip` commands in the namespace, one per line.
    pub fn ip(&self, batch: &str) {
        let mut command = Command::new("ip");
        command.args(["-n", &self.name, "-batch", "-"]);
        Run::with_input(command, batch).expect_success();
    }

    /// What `ip addr show FILTER` tells, one line per address.
    pub fn addresses(&self, filter: &[&str]) -> String {
        let run = Run::of_line(&[&["ip", "-n", &self.name, "-o", "addr", "show"], filter].concat());
        run.expect_success();
        run.stdout
    }

    /// Sets a sysctl of the namespace: `net.ipv4.ip_local_port_range`.
    pub fn sysctl(&self, name: &str, value: &str) {
        let path = format!("/proc/sys/{}", name.replace('.', "/"));
        let mut command = self.launcher(0, 0).command("/bin/sh");
        command.args(["-c", "echo \"$1\" > \"$0\"", &path, value]);
        Run::of(command).expect_success();
    }

    /// Starts processes in the namespace as a user.
    pub fn launcher(&self, uid: u32, gid: u32) -> Launcher {
        Launcher::new(self.tools.clone(), self.path(), self.cgroup.clone(), uid, gid)
    }

    /// As root: for whoever is not the point of the test.
    pub fn root(&self) -> Launcher {
        self.launcher(0, 0)
    }

    /// Lays a cable to `other`. Addresses are `10.99.0.2/24` or `fd99::2/64`. Of IPv4 the first is the primary one,
    /// of IPv6 the last.
    pub fn connect(&self, interface: &str, addresses: &[&str], other: &Self, other_addresses: &[&str]) {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let other_interface = format!("to{}", COUNT.fetch_add(1, Ordering::Relaxed));
        self.ip(&format!(
            "link add {interface} type veth peer name {other_interface} netns {}",
            other.name
        ));
        self.bring_up(interface, addresses);
        other.bring_up(&other_interface, other_addresses);
    }

    fn bring_up(&self, interface: &str, addresses: &[&str]) {
        let mut batch = format!("link set {interface} up\n");
        for address in addresses {
            // Usable at once, without asking the neighbors whether somebody has it.
            let flags = if address.contains(':') { " nodad" } else { "" };
            writeln!(batch, "addr add {address} dev {interface}{flags}").expect("write to a string");
        }
        self.ip(&batch);
        wait_until("no address is tentative", || self.addresses(&["tentative"]).is_empty());
    }
}
