// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The sidecars: a small one of this project's, or real Envoys.

use std::net::SocketAddr;

use anyhow::Context as _;
use testkit::{
    Node, PROXY_UID, Pod, Process,
    envoy::{Binary, Envoy, EnvoyFiles, Line, Start, config},
    records::{Connection, Listener},
    scene::Stack,
    wait_until,
};

use crate::{
    application::{APPLICATION, user_of},
    tell::Tell,
};

/// Which sidecars the pods get.
pub(crate) enum Kind {
    Small,
    Envoy(Binary),
}

/// What the sidecar of one pod leaves for the next one of that pod.
pub(crate) struct Home {
    files: EnvoyFiles,
}

/// A running sidecar. Ends with the value.
pub(crate) enum Sidecar {
    Small(Process),
    Envoy {
        envoy: Envoy,
        /// How many lines of its log have been read.
        read: usize,
    },
}

impl Home {
    pub(crate) fn new(node: &Node, name: &str) -> Self {
        Self { files: EnvoyFiles::new(node, &format!("{name}-envoy")) }
    }
}

impl Sidecar {
    /// Starts one and says so.
    pub(crate) fn start(tell: &mut Tell, kind: &Kind, pod: &Pod<'_>, home: &Home, name: &str) -> anyhow::Result<Self> {
        let (sidecar, what) = match kind {
            Kind::Small => (Self::Small(pod.proxy().sidecar(&[])), "a sidecar".to_owned()),
            Kind::Envoy(binary) => {
                let envoy = Envoy::start(&pod.proxy(), pod.node(), binary, &config()?, &home.files, Start::Alone);
                let read = envoy.lines().len();
                (Self::Envoy { envoy, read }, format!("Envoy {}", binary.name()))
            }
        };
        let pid = sidecar.pid();
        tell.holds(
            format!("{what} listens in the pod {name}: process {pid}, uid {PROXY_UID}"),
            &user_of(pid),
            &Some(PROXY_UID),
        )?;
        tell.holds("it has no capability", &capabilities(pid)?, &0)?;
        Ok(sidecar)
    }

    pub(crate) fn pid(&self) -> u32 {
        match self {
            Self::Small(process) => process.pid(),
            Self::Envoy { envoy, .. } => envoy.pid(),
        }
    }

    /// Ends it at once.
    pub(crate) fn kill(self) {
        match self {
            Self::Small(process) => process.kill(),
            Self::Envoy { envoy, .. } => envoy.kill(),
        }
    }

    /// The next connection that it took, as it saw it. Envoy logs a connection when it ends.
    pub(crate) fn next(&mut self) -> Connection {
        match self {
            Self::Small(process) => process.json(),
            Self::Envoy { envoy, read } => {
                wait_until("Envoy logs a connection", || envoy.lines().len() > *read);
                *read += 1;
                connection(&envoy.lines()[*read - 1])
            }
        }
    }
}

/// The application's port is declared as TCP: a connection is then one connection for Envoy, too, and ends as its
/// other half does.
fn config() -> anyhow::Result<config::Config> {
    let number = APPLICATION.parse::<SocketAddr>()?.port();
    let port = config::Port { number, protocol: config::Protocol::Tcp };
    Ok(config::Config { ports: vec![port], ..config::Config::new(Stack::V4) })
}

fn connection(line: &Line) -> Connection {
    let address = |text: &Option<String>| text.as_ref().and_then(|text| text.parse().ok());
    let known = |text| address(text).unwrap_or_else(|| panic!("not an address: {text:?} in {line:?}"));
    Connection {
        listener: if line.direction == "outbound" {
            Listener::Outbound
        } else {
            Listener::Inbound
        },
        peer: known(&line.direct_peer),
        local: known(&line.direct_local),
        original_destination: address(&line.original_destination),
        upstream_local: address(&line.upstream_local),
        // Envoy writes its log without spaces.
        refused: line.failure.as_ref().map(|failure| failure.replace('_', " ")),
    }
}

/// The effective capabilities of a process, as a mask.
fn capabilities(pid: u32) -> anyhow::Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).context("read the state of the sidecar")?;
    let mask = status
        .lines()
        .find_map(|line| line.strip_prefix("CapEff:"))
        .context("a line CapEff")?;
    u64::from_str_radix(mask.trim(), 16).context("a mask of capabilities")
}
