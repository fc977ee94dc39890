// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A node with an API server, and the agent on it: started, killed and started again.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::{Ipv4Addr, SocketAddr, TcpStream},
    path::PathBuf,
    process::Command,
    sync::atomic::{AtomicU32, Ordering},
    time::Instant,
};

use interceptor::{records::Record, records::Records};
use interceptor_policy::Enrollment;
use interceptor_wire::{Answer, Did};
use serde::Deserialize;
use testkit::{Node, Process, contained, timeout, wait_until, without_btf};

use crate::{
    api::{Api, NODE},
    sandbox::Sandbox,
};

/// A node with an API server.
pub(crate) struct Lab {
    pub(crate) node: Node,
    pub(crate) api: Api,
}

/// A running agent. It is killed with the value.
pub(crate) struct Agent {
    process: Process,
    pub(crate) health: SocketAddr,
    pub(crate) metrics: SocketAddr,
}

/// A line of the log, as far as it is read.
#[derive(Debug, Deserialize)]
struct Line {
    message: String,
    health: Option<SocketAddr>,
    metrics: Option<SocketAddr>,
}

impl Lab {
    pub(crate) fn new() -> Self {
        let lab = Self { node: Node::new(), api: Api::start() };
        fs::write(lab.kubeconfig(), lab.api.kubeconfig()).expect("write the kubeconfig");
        lab
    }

    pub(crate) fn run_dir(&self) -> PathBuf {
        self.node.work().join("run")
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.run_dir().join("cni.sock")
    }

    fn kubeconfig(&self) -> PathBuf {
        self.node.work().join("kubeconfig")
    }

    /// Starts the agent. It listens when this returns.
    pub(crate) fn start(&self) -> Agent {
        self.start_with(&[])
    }

    /// The same with more arguments.
    pub(crate) fn start_with(&self, arguments: &[&str]) -> Agent {
        Self::listening(self.command(arguments))
    }

    /// The same on a kernel that has no type information.
    pub(crate) fn start_without_btf(&self, arguments: &[&str]) -> Agent {
        Self::listening(without_btf(&self.command(arguments)))
    }

    /// The same in a container, as the chart has it.
    pub(crate) fn start_contained(&self) -> Agent {
        let agent = Self::listening(contained(&self.command(&[])));
        wait_until("the agent is ready", || agent.readiness().0 == 200);
        agent
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let (run_dir, kubeconfig) = (self.run_dir().display().to_string(), self.kubeconfig().display().to_string());
        self.node.agent(
            &[
                &[
                    "--run-dir",
                    &run_dir,
                    "--kubeconfig",
                    &kubeconfig,
                    "--node-name",
                    NODE,
                    "--health-port",
                    "0",
                    "--metrics-port",
                    "0",
                    "--log-json",
                    "--log-level",
                    "debug",
                ],
                arguments,
            ]
            .concat(),
        )
    }

    fn listening(mut command: Command) -> Agent {
        let mut process = Process::spawn("agent", &mut command);
        loop {
            let Line { message, health, metrics } = process.json();
            if message == "listening" {
                let address = |address: Option<SocketAddr>| {
                    let port = address.expect("the address is logged").port();
                    SocketAddr::from(([127, 0, 0, 1], port))
                };
                return Agent { process, health: address(health), metrics: address(metrics) };
            }
        }
    }

    /// Starts the agent. It knows all pods of the API server when this returns.
    pub(crate) fn start_synced(&self) -> Agent {
        let agent = self.start();
        wait_until("the agent is ready", || agent.readiness().0 == 200);
        agent
    }

    pub(crate) fn library(&self) -> interceptor::Node {
        interceptor::Node::open(&self.node.bpffs()).expect("the bpffs")
    }

    /// The entries of all enrolled pods, by cookie.
    pub(crate) fn enrollments(&self) -> Vec<(u64, Enrollment)> {
        let mut pods = self.library().enrollments().expect("the enrollments");
        pods.sort_by_key(|(cookie, _)| *cookie);
        pods
    }

    /// The records, by sandbox.
    pub(crate) fn records(&self) -> Vec<Record> {
        let Some(records) = Records::<Record>::open(&self.run_dir()).expect("the records") else {
            return Vec::new();
        };
        let (mut records, unreadable) = records.read().expect("the records");
        assert!(unreadable.is_empty(), "{unreadable:?}");
        records.sort_by(|one, other| one.sandbox.cmp(&other.sandbox));
        records
    }

    #[track_caller]
    pub(crate) fn expect_enrolled(&self, sandbox: &Sandbox) {
        let answer = sandbox.add(&self.socket()).expect("an answer");
        assert!(matches!(answer, Answer::Done { did: Did::Enrolled, .. }), "{answer:?}");
    }

    /// The cookie of a network namespace.
    pub(crate) fn cookie(sandbox: &Sandbox) -> u64 {
        interceptor::Netns::open(&sandbox.netns).expect("the namespace").cookie()
    }
}

impl Agent {
    /// The status and the text of `/readyz`.
    pub(crate) fn readiness(&self) -> (u16, String) {
        get(self.health, "/readyz")
    }

    /// Reads its log until it says this.
    #[track_caller]
    pub(crate) fn wait_for(&mut self, text: &str) {
        let deadline = Instant::now() + timeout();
        while Instant::now() < deadline {
            let line: Line = self.process.json();
            if line.message.contains(text) {
                return;
            }
        }
        panic!("the agent does not say {text:?}");
    }

    /// Kills it at once.
    pub(crate) fn kill(self) {
        self.process.kill();
    }

    /// Asks it to end, and returns its exit status and what it still logged.
    pub(crate) fn stop(self) -> (Option<i32>, Vec<String>) {
        let finished = self.process.stop();
        (finished.status.code(), finished.lines)
    }

    /// Whether it runs.
    pub(crate) fn lives(&mut self) -> bool {
        !self.process.has_ended()
    }

    pub(crate) fn pid(&self) -> u32 {
        self.process.pid()
    }
}

/// An address that no other pod of this machine has: pods without a process are found by it.
pub(crate) fn unique_address() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let number = (std::process::id() << 4 | COUNT.fetch_add(1, Ordering::Relaxed) & 0xf) & 0x3f_ffff;
    Ipv4Addr::from(0x6440_0000 | number).to_string() // 100.64.0.0/10
}

/// Status and body of an HTTP request.
pub(crate) fn get(address: SocketAddr, path: &str) -> (u16, String) {
    let mut stream = TcpStream::connect_timeout(&address, timeout()).expect("connect for HTTP");
    stream.set_read_timeout(Some(timeout())).expect("set a time limit");
    write!(stream, "GET {path} HTTP/1.1\r\nHost: agent\r\nConnection: close\r\n\r\n").expect("send a request");
    let mut text = String::new();
    stream.read_to_string(&mut text).expect("read the answer");
    let (head, body) = text
        .split_once("\r\n\r\n")
        .unwrap_or_else(|| panic!("no answer of HTTP: {text}"));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    (status.unwrap_or_else(|| panic!("no status: {head}")), body.to_owned())
}

/// The code and the text of a refusal.
#[track_caller]
pub(crate) fn refusal(answer: Answer) -> (u32, String, bool) {
    match answer {
        Answer::Refused { code, msg, retry } => (code, msg, retry),
        Answer::Done { .. } => panic!("not refused: {answer:?}"),
    }
}
