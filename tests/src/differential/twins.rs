// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Two pods with the same addresses and the same surroundings: one with the rules of Istio, one enrolled with
//! `interceptor`.

use std::{fmt, fs, path::Path, time::Duration};

use testkit::{
    Launcher, Namespace, Node, Pod, Process, Run,
    flow::Flow,
    istio::{Config, Iptables},
    records::Report,
    scene::Stack,
    timeout,
};

use super::{
    network,
    reasons::Reasons,
    seen::{AGENT, INBOUND, OUTBOUND, Seen},
};

/// A flow that did not go the same way in both pods.
#[derive(Clone, Debug)]
pub struct Difference {
    pub config: Config,
    pub flow: Flow,
    pub what: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { config, flow, what } = self;
        write!(formatter, "{config}\n    {flow}\n{what}")
    }
}

/// Ports on which the application and the server outside listen.
const APP_PORTS: &[u16] = &[22, 53, 80, 8080, 8081, 9000, 15002, 15008, 15020, 15021, 15090];
const OUTSIDE_PORTS: &[u16] = &[22, 53, 80, 443, 8080, 9000, 15001, 15006, 15008];
const UDP_PORTS: &[u16] = &[53, 8080];

/// Every listening socket takes fast open, with data and without a cookie. What connection tracking knows of a flow
/// is forgotten soon, so that it does not decide about another one with the same ports.
const SYSCTLS: &[(&str, &str)] = &[
    ("net.ipv4.tcp_fastopen", "1543"),
    ("net.netfilter.nf_conntrack_tcp_timeout_close", "1"),
    ("net.netfilter.nf_conntrack_udp_timeout", "1"),
    ("net.netfilter.nf_conntrack_udp_timeout_stream", "1"),
];

/// Its settings are there from when it is, and not only from the first rule on.
fn load_connection_tracking() {
    if !Path::new("/proc/sys/net/netfilter/nf_conntrack_udp_timeout").exists() {
        Run::of_line(&["modprobe", "nf_conntrack"]).expect_success();
    }
}

/// How long a call may take at first. Both ends are on this machine, and many flows of the lists get no answer at
/// all.
fn short_limit() -> Duration {
    timeout() / 100
}

/// How long it may take where the short limit has made a difference, which a busy machine can be the reason of.
fn long_limit() -> Duration {
    timeout() / 10
}

/// A pod, its neighbor, and everyone in them.
struct Twin<'node> {
    pod: Pod<'node>,
    inside: Process,
    outside: Process,
    _servers: [Process; 2],
    /// With what it was started for.
    sidecar: Option<(Sidecar, [Process; 3])>,
    /// Whether it has the addresses that come after enrollment.
    late: bool,
    stack: Stack,
}

/// Whom a sidecar runs as, and on which ports it is redirected to.
#[derive(Clone, PartialEq, Eq)]
struct Sidecar {
    user: (u32, u32),
    outbound_port: String,
    inbound_port: String,
    transparent: bool,
}

/// How one flow went.
struct Looked {
    /// What differs, in words.
    wrong: Vec<String>,
    /// Whether a call came to its limit on either side.
    timed_out: bool,
}

/// Both pods, for one choice of addresses.
pub(super) struct Twins<'node> {
    node: &'node Node,
    iptables: Iptables,
    theirs: Twin<'node>,
    ours: Twin<'node>,
    next_port: u16,
}

impl<'node> Twin<'node> {
    fn new(node: &'node Node, name: &str, stack: Stack) -> Self {
        let outside = node.outside(&format!("{name}-out"));
        let pod = node.pod(name);
        let inside = pod.namespace();
        network::lay(inside, &outside, stack);
        inside.sysctl("net.ipv4.ip_unprivileged_port_start", "0");
        for (name, value) in SYSCTLS {
            inside.sysctl(name, value);
            outside.sysctl(name, value);
        }
        Self {
            inside: pod.namespace().root().agent(),
            outside: outside.root().agent(),
            _servers: [serve(&pod.app(), "app", APP_PORTS), serve(&outside.root(), "outside", OUTSIDE_PORTS)],
            sidecar: None,
            late: false,
            stack,
            pod,
        }
    }

    /// Gives the pod the addresses that come after enrollment, or takes them away.
    fn set_late(&mut self, late: bool) {
        match (self.late, late) {
            (false, true) => network::add_late(self.pod.namespace(), self.stack),
            (true, false) => network::remove_late(self.pod.namespace(), self.stack),
            _ => {}
        }
        self.late = late;
    }

    /// Replaces the sidecar by one as `config` wants it, unless it is one already.
    fn start_sidecar(&mut self, config: &Config) {
        let wanted = Sidecar {
            user: config.proxy(),
            outbound_port: config.flag('p').to_owned(),
            inbound_port: config.flag('z').to_owned(),
            transparent: config.is_tproxy(),
        };
        if self.sidecar.as_ref().is_some_and(|(running, _)| *running == wanted) {
            return;
        }
        drop(self.sidecar.take());
        let launcher = self.pod.proxy_as(wanted.user.0, wanted.user.1);
        let serve = |name, port, transparent: bool| {
            let everywhere = [format!("0.0.0.0:{port}"), format!("[::]:{port}")];
            let transparent = transparent.then_some("--transparent");
            launcher.serve(
                name,
                &transparent
                    .into_iter()
                    .chain(everywhere.iter().map(String::as_str))
                    .collect::<Vec<_>>(),
            )
        };
        // As Istio's agent does, it listens on loopback only.
        let (v4, v6) = ("127.0.0.1:15053", "[::1]:15053");
        let agent = launcher.serve(AGENT, &["--udp", v4, "--udp", v6, v4, v6]);
        let processes = [
            serve(OUTBOUND, &wanted.outbound_port, false),
            serve(INBOUND, &wanted.inbound_port, wanted.transparent),
            agent,
        ];
        self.sidecar = Some((wanted, processes));
    }

    fn ask(&mut self, flow: &Flow, port: u16, limit: Duration) {
        let request = serde_json::to_string(&flow.request(port, limit)).expect("a request");
        self.agent(flow).say(&request);
    }

    fn answer(&mut self, flow: &Flow) -> Report {
        self.agent(flow).json()
    }

    fn agent(&mut self, flow: &Flow) -> &mut Process {
        if flow.inbound { &mut self.outside } else { &mut self.inside }
    }
}

impl<'node> Twins<'node> {
    pub(super) fn new(node: &'node Node, iptables: Iptables, stack: Stack) -> Self {
        load_connection_tracking();
        let twin = |side: &str| Twin::new(node, &format!("{side}-{stack}"), stack);
        let (theirs, ours) = (twin("theirs"), twin("ours"));
        if stack.has_v6() {
            theirs.pod.namespace().ip("addr add ::6/128 dev lo");
        }
        Self { node, iptables, theirs, ours, next_port: 20_000 }
    }

    /// Puts `config` in force on both sides.
    pub(super) fn configure(&mut self, config: &Config) -> Result<(), String> {
        for twin in [&mut self.theirs, &mut self.ours] {
            twin.set_late(false);
        }
        self.iptables.load(self.theirs.pod.namespace(), config)?;
        let resolv_conf = self.node.work().join("resolv.conf");
        fs::write(&resolv_conf, config.resolv_conf()).map_err(|error| format!("{}: {error}", resolv_conf.display()))?;
        let arguments =
            [config.arguments(), vec!["--resolv-conf".to_owned(), resolv_conf.display().to_string()]].concat();
        let mut command = self
            .ours
            .pod
            .enroll_command(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
        command.envs(&config.environment);
        Run::attempt(command, "").and_then(Run::successful)?;
        for twin in [&mut self.theirs, &mut self.ours] {
            twin.set_late(true);
            twin.start_sidecar(config);
        }
        Ok(())
    }

    /// Carries out the flows on both sides, and says in what they differ.
    pub(super) fn compare(&mut self, config: &Config, flows: &[Flow]) -> Result<Vec<Difference>, String> {
        self.configure(config)?;
        let reasons = Reasons::open(&self.node.bpffs(), self.namespace())?;
        let mut differences = Vec::new();
        for flow in flows {
            let mut looked = self.look(&reasons, flow, short_limit())?;
            if looked.timed_out && !looked.wrong.is_empty() {
                looked = self.look(&reasons, flow, long_limit())?;
            }
            if !looked.wrong.is_empty() {
                let what = looked.wrong.join("\n");
                differences.push(Difference { config: config.clone(), flow: flow.clone(), what });
            }
        }
        Ok(differences)
    }

    /// Carries out one flow on both sides.
    fn look(&mut self, reasons: &Reasons, flow: &Flow, limit: Duration) -> Result<Looked, String> {
        self.next_port = if self.next_port >= 32_000 { 20_000 } else { self.next_port + 1 };
        let before = reasons.counted()?;
        let carried_out = flow.at(self.next_port);
        self.theirs.ask(&carried_out, self.next_port, limit);
        self.ours.ask(&carried_out, self.next_port, limit);
        let reports = [self.theirs.answer(&carried_out), self.ours.answer(&carried_out)];
        let [theirs, ours] = reports.map(|report| Seen::new(&carried_out, &report));
        let mut wrong = Vec::new();
        if theirs.differs_from(&ours, flow) {
            wrong.push(format!("iptables: {theirs:?}\nebpf:     {ours:?}"));
        }
        wrong.extend(reasons.compare(&carried_out, &before, &reasons.counted()?, &ours));
        Ok(Looked { wrong, timed_out: theirs.timed_out() || ours.timed_out() })
    }

    fn namespace(&self) -> &Namespace {
        self.ours.pod.namespace()
    }
}

fn serve(launcher: &Launcher, name: &str, ports: &[u16]) -> Process {
    let everywhere = |port: &u16| [format!("0.0.0.0:{port}"), format!("[::]:{port}")];
    let udp = UDP_PORTS
        .iter()
        .flat_map(everywhere)
        .flat_map(|address| ["--udp".to_owned(), address]);
    let flags: Vec<String> = udp.chain(ports.iter().flat_map(everywhere)).collect();
    launcher.serve(name, &flags.iter().map(String::as_str).collect::<Vec<_>>())
}
