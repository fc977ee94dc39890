// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A network namespace without a name, which lives as long as the process that is asked for connections in it, and a
//! cgroup.

use std::{
    ffi::OsStr,
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::atomic::{AtomicUsize, Ordering},
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};

use super::process::{Talker, pause, run};
use crate::messages::Ready;

/// A user and its group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Who {
    pub uid: u32,
    pub gid: u32,
}

impl Who {
    pub(crate) const ROOT: Self = Self { uid: 0, gid: 0 };
}

/// A network namespace, and a cgroup for the processes in it.
pub struct Place {
    name: String,
    cgroup: PathBuf,
    verify: PathBuf,
    patience: Duration,
    /// Makes connections as it is asked to. The namespace is its.
    pub(crate) agent: Talker,
}

impl Place {
    pub(super) fn new(name: &str, cgroup: PathBuf, verify: &Path, patience: Duration) -> anyhow::Result<Self> {
        let mut command = Command::new(verify);
        command.args(["probe", "--new-netns", "--cgroup"]).arg(&cgroup);
        command.args(["--uid", "0", "--gid", "0", "agent"]);
        let mut agent = Talker::start(&format!("the client in {name}"), command, patience)?;
        let Ready { ready: _ } = agent.json()?;
        let place = Self { name: name.to_owned(), cgroup, verify: verify.to_owned(), patience, agent };
        place.sysctls(&[("net.ipv6.conf.all.accept_dad", "0"), ("net.ipv6.conf.default.accept_dad", "0")])?;
        place.ip("link set lo up")?;
        Ok(place)
    }

    /// For `--netns`.
    pub(crate) fn netns(&self) -> PathBuf {
        PathBuf::from(format!("/proc/{}/ns/net", self.agent.pid()))
    }

    pub(crate) fn cgroup(&self) -> &Path {
        &self.cgroup
    }

    /// A cgroup below the place's own.
    pub(crate) fn container(&self, name: &str) -> anyhow::Result<PathBuf> {
        let path = self.cgroup.join(name);
        fs::create_dir(&path).with_context(|| format!("make the cgroup {}", path.display()))?;
        Ok(path)
    }

    /// Any program, as root.
    pub(crate) fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = self.probe(&self.cgroup, Who::ROOT);
        command.args(["exec", "--"]).arg(program);
        command
    }

    /// Runs `ip` commands, one per line, and returns what they tell.
    pub(crate) fn ip(&self, batch: &str) -> anyhow::Result<String> {
        let mut command = self.command("ip");
        command.args(["-o", "-batch", "-"]);
        run(command, batch, self.patience).with_context(|| format!("lay the network of {}", self.name))
    }

    /// Sets sysctls of the namespace, such as `net.ipv4.ip_local_port_range`. Those that this kernel lacks are left.
    pub(crate) fn sysctls(&self, sysctls: &[(&str, &str)]) -> anyhow::Result<()> {
        let mut command = self.probe(&self.cgroup, Who::ROOT);
        command
            .arg("sysctl")
            .args(sysctls.iter().map(|(name, value)| format!("{name}={value}")));
        run(command, "", self.patience).map(drop)
    }

    /// A server that tells everyone who it is and whom it sees. Listens when this returns.
    pub(crate) fn serve(&self, cgroup: &Path, who: Who, name: &str, flags: &[String]) -> anyhow::Result<Talker> {
        let mut command = self.probe(cgroup, who);
        command.args(["serve", "--name", name]).args(flags);
        let mut server = Talker::start(&format!("the server {name} in {}", self.name), command, self.patience)?;
        let Ready { ready } = server.json()?;
        ensure!(!ready.is_empty(), "the server {name} in {} has no listening socket", self.name);
        Ok(server)
    }

    /// Lays a cable to `other`. Addresses are `10.99.0.2/24` or `fd99::2/64`. Of IPv4 the first is the primary one, of
    /// IPv6 the last.
    pub(crate) fn connect(
        &self,
        interface: &str,
        addresses: &[&str],
        other: &Self,
        other_addresses: &[&str],
    ) -> anyhow::Result<()> {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let other_interface = format!("to{}", COUNT.fetch_add(1, Ordering::Relaxed));
        self.ip(&format!(
            "link add {interface} type veth peer name {other_interface} netns {}",
            other.agent.pid()
        ))?;
        self.bring_up(interface, addresses)?;
        other.bring_up(&other_interface, other_addresses)?;
        self.wait_for_addresses()?;
        other.wait_for_addresses()
    }

    fn bring_up(&self, interface: &str, addresses: &[&str]) -> anyhow::Result<()> {
        let mut batch = format!("link set {interface} up\n");
        for address in addresses {
            // Usable at once, without asking the neighbors whether somebody has it.
            let flags = if address.contains(':') { " nodad" } else { "" };
            writeln!(batch, "addr add {address} dev {interface}{flags}")?;
        }
        self.ip(&batch).map(drop)
    }

    fn wait_for_addresses(&self) -> anyhow::Result<()> {
        let deadline = Instant::now() + self.patience;
        while !self.ip("addr show tentative")?.trim().is_empty() {
            ensure!(Instant::now() < deadline, "an address of {} stays tentative", self.name);
            pause();
        }
        Ok(())
    }

    fn probe(&self, cgroup: &Path, Who { uid, gid }: Who) -> Command {
        let mut command = Command::new(&self.verify);
        command.env_remove("RUST_BACKTRACE");
        command.args(["probe", "--netns"]).arg(self.netns()).arg("--cgroup").arg(cgroup);
        command.args(["--uid", &uid.to_string(), "--gid", &gid.to_string()]);
        command
    }
}
