// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A pod whose DNS is captured, the agent and the sidecar in it, and a DNS server outside.

use std::{fmt, fs, path::PathBuf, process::Command, sync::Mutex};

use testkit::{
    Launcher, Node, Pod, Process, Run,
    istio::{Config, Iptables, load},
    programs::{SYSTEM, find},
    scene::{Scene, Stack},
};

use crate::{
    server::{Answers, DnsServer},
    table,
};

/// Who intercepts.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Interception {
    /// The rules of `istio-iptables`: the expectation.
    Rules(Iptables),
    /// This project.
    Ebpf,
}

/// Whose questions are captured.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Capture {
    /// Those to the servers in the pod's `resolv.conf`.
    Listed,
    /// All.
    All,
}

/// Who runs a program.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum By {
    Application,
    /// Root, in the application's container.
    Root,
    Sidecar,
}

/// By which families servers are asked.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Via {
    V4,
    V6,
    /// The first server by IPv4, the second by IPv6.
    Mixed,
}

/// What the agent answers.
pub(crate) const AGENT: Answers = Answers { v4: "192.0.2.53", v6: "2001:db8::53" };
/// What the server outside answers.
pub(crate) const OUTSIDE: Answers = Answers { v4: "198.51.100.53", v6: "2001:db8:1::53" };

/// Nobody has the first address of each pair. The second is the server outside.
const LISTED_V4: [&str; 2] = ["10.96.0.10", "10.96.0.11"];
const LISTED_V6: [&str; 2] = ["fd96::10", "fd96::11"];
const UNLISTED_V4: [&str; 2] = ["10.96.0.20", "10.96.0.21"];
const UNLISTED_V6: [&str; 2] = ["fd96::20", "fd96::21"];

/// Servers that stay silent are waited for longer than a test may take.
const OPTIONS: &str = "options timeout:30 attempts:5\n";

pub(crate) struct DnsPod {
    pub(crate) interception: Interception,
    pub(crate) capture: Capture,
    pub(crate) agent: Option<DnsServer>,
    pub(crate) outside: DnsServer,
    app: Launcher,
    root: Launcher,
    proxy: Launcher,
    nsswitch_conf: PathBuf,
    /// It asks onward from the pod's second addresses. Several tests share it, but not what reads its output.
    _sidecar: Mutex<Process>,
    node: Node, // the last to be dropped
}

impl DnsPod {
    pub(crate) fn new(interception: Interception, capture: Capture) -> Self {
        let mut pod = Self::without_agent(interception, capture);
        // As Istio's agent does, it listens on loopback only.
        pod.agent = Some(DnsServer::start(
            &pod.node,
            &pod.proxy,
            "agent",
            &["127.0.0.1", "::1"],
            15053,
            &AGENT,
        ));
        pod
    }

    pub(crate) fn without_agent(interception: Interception, capture: Capture) -> Self {
        let node = Node::new();
        for file in table::FILES {
            file.make(&node);
        }
        let scene = Scene::with_stack(&node, "pod", Stack::Dual);
        let servers = [LISTED_V4, UNLISTED_V4, LISTED_V6, UNLISTED_V6].map(|[_vacant, real]| real);
        for server in servers {
            let length = if server.contains(':') { "128 nodad" } else { "32" };
            scene.outside.ip(&format!("addr add {server}/{length} dev lo"));
        }
        interception.enroll(&scene.pod, capture);
        let outside = DnsServer::start(&node, &scene.outside.root(), "outside", &servers, 53, &OUTSIDE);
        let sidecar = Mutex::new(scene.sidecar(&[]));
        let (app, root, proxy) = (scene.pod.app(), scene.pod.app_as(0, 0), scene.pod.proxy());
        let nsswitch_conf = written(&node, "nsswitch.conf", "hosts: dns\n");
        Self {
            interception,
            capture,
            agent: None,
            outside,
            app,
            root,
            proxy,
            nsswitch_conf,
            _sidecar: sidecar,
            node,
        }
    }

    /// A program that finds `servers` in `/etc/resolv.conf`, for the test
    /// of this name.
    pub(crate) fn command(&self, by: By, test: &str, program: &str, servers: &[&str]) -> Command {
        let launcher = match by {
            By::Application => &self.app,
            By::Root => &self.root,
            By::Sidecar => &self.proxy,
        };
        let launcher = launcher
            .clone()
            .instead_of("/etc/resolv.conf", resolv_conf(&self.node, test, servers));
        let launcher = launcher.instead_of("/etc/nsswitch.conf", self.nsswitch_conf.clone());
        let mut command = launcher.command(&find(program).display().to_string());
        // Nothing of whoever runs the tests: no options, no home.
        command.env_clear().env("PATH", SYSTEM.join(":")).current_dir(self.node.work());
        command
    }

    /// Where what was built is.
    pub(crate) fn work(&self) -> String {
        self.node.work().display().to_string()
    }
}

impl Interception {
    fn enroll(self, pod: &Pod<'_>, capture: Capture) {
        let all = if capture == Capture::All { "--capture-all-dns " } else { "" };
        let servers = [LISTED_V4, LISTED_V6].concat();
        let config = format!(
            "stack=dual servers={} --redirect-dns {all}-u '1337' -i '*' -b '*' -d '15090,15021,15020'",
            servers.join(",")
        );
        let config: Config = config.parse().expect("a configuration");
        match self {
            Self::Rules(iptables) => load(iptables, pod.namespace(), &config),
            Self::Ebpf => {
                // As from an init container, whose resolv.conf is that of the pod.
                let container = pod
                    .proxy_as(0, 0)
                    .instead_of("/etc/resolv.conf", resolv_conf(pod.node(), "pod", &servers));
                let mut command = container.command(&pod.node().interceptor().display().to_string());
                command
                    .arg("istio-iptables")
                    .args(config.arguments())
                    .args(pod.place())
                    .arg("--bpffs")
                    .arg(pod.node().bpffs());
                Run::of(command).expect_success();
            }
        }
    }
}

impl Capture {
    pub(crate) const ALL: [Self; 2] = [Self::Listed, Self::All];

    /// Two servers that are captured, whatever is reached there: nobody at the first, the server outside at the
    /// second.
    pub(crate) fn servers(self, via: Via) -> [&'static str; 2] {
        let (v4, v6) = match self {
            Self::Listed => (LISTED_V4, LISTED_V6),
            Self::All => (UNLISTED_V4, UNLISTED_V6),
        };
        match via {
            Via::V4 => v4,
            Via::V6 => v6,
            Via::Mixed => [v4[0], v6[1]],
        }
    }
}

impl Via {
    pub(crate) const ALL: [Self; 3] = [Self::V4, Self::V6, Self::Mixed];
    pub(crate) const SINGLE: [Self; 2] = [Self::V4, Self::V6];
}

/// Each test has one of its own, by its name.
fn resolv_conf(node: &Node, name: &str, servers: &[&str]) -> PathBuf {
    let lines = servers.iter().map(|server| format!("nameserver {server}\n"));
    written(
        node,
        &format!("{name}.resolv.conf"),
        &format!("{}{OPTIONS}", lines.collect::<String>()),
    )
}

fn written(node: &Node, name: &str, text: &str) -> PathBuf {
    let file = node.work().join(name);
    fs::write(&file, text).unwrap_or_else(|error| panic!("write {}: {error}", file.display()));
    file
}

impl fmt::Display for Interception {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rules(iptables) => iptables.fmt(formatter),
            Self::Ebpf => formatter.write_str("ebpf"),
        }
    }
}

impl fmt::Display for Capture {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Listed => "listed",
            Self::All => "all",
        })
    }
}

impl fmt::Display for Via {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::V4 => "v4",
            Self::V6 => "v6",
            Self::Mixed => "mixed",
        })
    }
}
