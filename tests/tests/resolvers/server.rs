// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A real DNS server, which knows two domains and logs every question.

use std::{
    collections::BTreeSet,
    fs,
    net::IpAddr,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    sync::Mutex,
};

use testkit::{Launcher, Node, Process, programs::find, wait_until};

/// Every name that ends so has one address of each family.
pub(crate) const WEB: &str = "web.test";
/// Every name that ends so has a hundred IPv4 addresses: more than any datagram holds that a resolver takes.
pub(crate) const MANY: &str = "many.test";

/// What a server answers.
pub(crate) struct Answers {
    pub(crate) v4: &'static str,
    pub(crate) v6: &'static str,
}

/// dnsmasq.
pub(crate) struct DnsServer {
    log: PathBuf,
    /// Several tests share the server, but not what reads its output.
    _process: Mutex<Process>,
}

impl DnsServer {
    /// Answers on `port` of each address; no other address is listened on.
    pub(crate) fn start(
        node: &Node,
        launcher: &Launcher,
        name: &str,
        addresses: &[&str],
        port: u16,
        answers: &Answers,
    ) -> Self {
        let file = |suffix: &str| node.work().join(format!("dnsmasq-{name}.{suffix}"));
        let (configuration, log) = (file("conf"), file("log"));
        write_for_all(&configuration, &configured(addresses, port, answers, &log));
        write_for_all(&log, "");
        let mut command = launcher.command(&find("dnsmasq").display().to_string());
        command
            .arg("--keep-in-foreground")
            .arg(format!("--conf-file={}", configuration.display()));
        let mut process = Process::spawn(format!("dnsmasq {name}"), &mut command);
        wait_until("dnsmasq has started", || {
            let log = read(&log);
            assert!(!process.has_ended(), "dnsmasq {name} has ended: {log}");
            log.contains("started, version")
        });
        Self { log, _process: Mutex::new(process) }
    }

    /// Who has asked for `name`.
    pub(crate) fn askers(&self, name: &str) -> BTreeSet<IpAddr> {
        read(&self.log).lines().filter_map(|line| asker(line, name)).collect()
    }
}

/// `… query[A] NAME from 10.99.0.2`
fn asker(line: &str, name: &str) -> Option<IpAddr> {
    let (_, question) = line.split_once("query[")?;
    let [_, asked, "from", from] = question.split(' ').collect::<Vec<_>>()[..] else {
        return None;
    };
    (asked == name).then(|| from.parse().unwrap_or_else(|error| panic!("{line}: {error}")))
}

fn configured(addresses: &[&str], port: u16, answers: &Answers, log: &Path) -> String {
    // It asks nobody itself, does not know the names of this machine, and stays the user that it was started as.
    let mut lines = ["no-resolv", "no-hosts", "pid-file", "user=root", "bind-interfaces", "log-queries=extra"]
        .map(str::to_owned)
        .to_vec();
    lines.push(format!("log-facility={}", log.display()));
    lines.push(format!("port={port}"));
    lines.extend([WEB, MANY].map(|domain| format!("local=/{domain}/")));
    lines.extend(addresses.iter().map(|address| format!("listen-address={address}")));
    lines.extend([answers.v4, answers.v6].map(|address| format!("address=/{WEB}/{address}")));
    lines.extend(hundred().map(|address| format!("address=/{MANY}/{address}")));
    lines.join("\n")
}

/// The addresses of [`MANY`].
pub(crate) fn hundred() -> impl Iterator<Item = String> {
    (1..=100).map(|last| format!("203.0.113.{last}"))
}

/// The server may run as another user, and writes its log.
fn write_for_all(file: &Path, text: &str) {
    let written = fs::write(file, text).and_then(|()| fs::set_permissions(file, fs::Permissions::from_mode(0o666)));
    written.unwrap_or_else(|error| panic!("write {}: {error}", file.display()));
}

fn read(file: &Path) -> String {
    fs::read_to_string(file).unwrap_or_else(|error| panic!("read {}: {error}", file.display()))
}
