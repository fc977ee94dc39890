// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Starting processes in a namespace, a cgroup and as a user, by way of `interceptor-probe`.

use std::{path::PathBuf, process::Command};

use serde::de::DeserializeOwned;

use crate::{
    flow::Flow,
    interceptor::Run,
    open_connection::OpenConnection,
    process::Process,
    records::{Answer, Knocked, Ready, Report, Tally},
    wait::timeout,
};

/// The application's user and group.
pub const APP_UID: u32 = 1000;
/// The sidecar's user and group.
pub const PROXY_UID: u32 = 1337;

/// Where, and as whom, a process starts.
#[derive(Clone)]
pub struct Launcher {
    tools: PathBuf,
    netns: PathBuf,
    cgroup: PathBuf,
    uid: u32,
    gid: u32,
    groups: Vec<u32>,
    files: Vec<(PathBuf, &'static str)>,
}

impl Launcher {
    pub(crate) fn new(tools: PathBuf, netns: PathBuf, cgroup: PathBuf, uid: u32, gid: u32) -> Self {
        Self { tools, netns, cgroup, uid, gid, groups: Vec::new(), files: Vec::new() }
    }

    /// Elsewhere than in the namespace's own cgroup.
    #[must_use]
    pub fn cgroup(mut self, cgroup: PathBuf) -> Self {
        self.cgroup = cgroup;
        self
    }

    /// With a supplementary group.
    #[must_use]
    pub fn group(mut self, group: u32) -> Self {
        self.groups.push(group);
        self
    }

    /// With `file` in place of the one at `path`, which has to exist.
    #[must_use]
    pub fn instead_of(mut self, path: &'static str, file: PathBuf) -> Self {
        self.files.push((file, path));
        self
    }

    /// Any program.
    pub fn command(&self, program: &str) -> Command {
        let mut command = self.probe();
        command.args(["exec", "--", program]);
        command
    }

    /// `interceptor-probe connect FLAGS TO`: connects, waits for the server's line, and ends.
    pub fn connect(&self, to: &str, flags: &[&str]) -> Report {
        self.answer("connect", flags, &[to])
    }

    /// `interceptor-probe datagram FLAGS TO`: sends a datagram and waits for the answer.
    pub fn datagram(&self, to: &str, flags: &[&str]) -> Report {
        self.answer("datagram", flags, &[to])
    }

    /// `interceptor-probe ask FLAGS SERVERS`: asks all of them from one socket, and waits for as many answers.
    pub fn ask(&self, servers: &[&str], flags: &[&str]) -> Vec<Answer> {
        self.answer("ask", flags, servers)
    }

    /// `interceptor-probe knock SOCKET MESSAGE`: sends a message to a Unix socket, and waits for the answer.
    pub fn knock(&self, socket: &str, message: &str) -> Knocked {
        self.answer("knock", &[socket], &[message])
    }

    /// `interceptor-probe leave FLAGS HOW TO`: sends a first packet, and then a datagram to `then`. Says what failed.
    pub fn leave(&self, how: &str, to: &str, flags: &[&str], then: &str) -> Report {
        self.answer("leave", &[flags, &["--then", then]].concat(), &[how, to])
    }

    /// `interceptor-probe watch`: says which first packets arrive, and ends with a datagram to port 9. As root. Watches
    /// when this returns.
    pub fn watch(&self) -> Process {
        let mut command = self.probe();
        command.arg("watch");
        let mut process = Process::spawn("watcher", &mut command);
        let _watching: String = process.json();
        process
    }

    /// A connection that stays open and echoes what it is told.
    pub fn hold(&self, to: &str, flags: &[&str]) -> OpenConnection {
        let mut command = self.probe();
        command.args(["connect", "--hold"]).args(flags).arg(to);
        OpenConnection::new(Process::spawn(format!("connection to {to}"), &mut command))
    }

    /// `interceptor-probe connect --count …`: many connections.
    pub fn connect_many(&self, flags: &[&str], to: &[&str]) -> Tally {
        self.answer("connect", flags, to)
    }

    /// `interceptor-probe flood`: calls `connect()` for so many destinations, the first of which is given. No call
    /// succeeds.
    pub fn flood(&self, count: usize, first: &str) -> Tally {
        self.answer("flood", &["--count", &count.to_string()], &[first])
    }

    /// Connects again and again until its standard input is closed; then says its [`Tally`].
    ///
    /// It sends a line each time. Where a listening socket is closed at the moment of the handshake's last ACK, Linux
    /// can drop that ACK without a word: one of 15,000 such connections, with neither rules nor programs of ours. A
    /// client that only listens then waits forever; one that has sent something sends it again, and is reset.
    pub fn load(&self, to: &str) -> Process {
        let mut command = self.probe();
        let family = if to.starts_with('[') { "6" } else { "4" };
        command.args(["connect", "--family", family, "--until-eof", "--send", "hello", to]);
        Process::spawn(format!("load on {to}"), &mut command)
    }

    /// Makes connections one after another, as it is asked to.
    pub fn agent(&self) -> Process {
        let mut command = self.probe();
        command.arg("agent");
        Process::spawn("agent", &mut command)
    }

    /// What `flow` comes to. `port` is its source port, if it has one. To become its users takes root.
    pub fn carry_out(&self, flow: &str, port: u16) -> Report {
        let flow: Flow = flow.parse().unwrap_or_else(|error| panic!("{flow}: {error:#}"));
        let mut agent = self.agent();
        let limit = timeout() / 10; // some flows are to end with it
        agent.say(&serde_json::to_string(&flow.request(port, limit)).expect("a request"));
        agent.json()
    }

    /// A server that tells everyone who it is and whom it sees. Listens when this returns.
    pub fn serve(&self, name: &str, flags: &[&str]) -> Process {
        let mut command = self.probe();
        command.args(["serve", "--name", name]).args(flags);
        ready(Process::spawn(format!("server {name}"), &mut command))
    }

    /// A web application: answers every HTTP request with `page`, and writes whom it sees. Listens when this returns.
    pub fn web(&self, name: &str, page: &str, address: &str) -> Process {
        let mut command = self.probe();
        command.args(["web", "--name", name, "--page", page, address]);
        ready(Process::spawn(format!("web application {name}"), &mut command))
    }

    /// `interceptor-http serve`: a web application of both versions of HTTP. Listens when this returns.
    pub fn origin(&self, name: &str, addresses: &[&str]) -> Process {
        let mut command = self.http();
        command.args(["serve", "--name", name]).args(addresses);
        ready(Process::spawn(format!("web application {name}"), &mut command))
    }

    /// `interceptor-http`, a client or a server, to be told what to do.
    pub fn http(&self) -> Command {
        self.command(&self.tools.join("interceptor-http").display().to_string())
    }

    /// `interceptor-probe pair FLAGS`: both ends of connections in one process, to be started by the caller. As root.
    pub fn pair(&self, flags: &[&str]) -> Command {
        let mut command = self.probe();
        command.arg("pair").args(flags);
        command
    }

    /// A server that takes connections, and neither says nor does anything with them.
    pub fn listen_only(&self, addresses: &[&str]) -> Process {
        let mut command = self.probe();
        command.arg("listen-only").args(addresses);
        ready(Process::spawn(format!("listener on {addresses:?}"), &mut command))
    }

    /// `interceptor-sidecar FLAGS`. Listens when this returns.
    pub fn sidecar(&self, flags: &[&str]) -> Process {
        let mut command = self.command(&self.tools.join("interceptor-sidecar").display().to_string());
        command.args(flags);
        ready(Process::spawn("sidecar", &mut command))
    }

    fn probe(&self) -> Command {
        let mut command = Command::new(self.tools.join("interceptor-probe"));
        command.env_remove("RUST_BACKTRACE");
        command.arg("--netns").arg(&self.netns).arg("--cgroup").arg(&self.cgroup);
        command
            .arg("--uid")
            .arg(self.uid.to_string())
            .arg("--gid")
            .arg(self.gid.to_string());
        for group in &self.groups {
            command.arg("--group").arg(group.to_string());
        }
        for (file, path) in &self.files {
            command.arg("--instead").arg(format!("{}:{path}", file.display()));
        }
        command
    }

    fn answer<T: DeserializeOwned>(&self, probe: &str, flags: &[&str], to: &[&str]) -> T {
        let mut command = self.probe();
        command.arg(probe).args(flags).args(to);
        Run::of(command).json()
    }
}

fn ready(mut process: Process) -> Process {
    let Ready { ready } = process.json();
    assert!(!ready.is_empty(), "a server without a listening socket");
    process
}
