// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Pairs of accelerated sockets, and what both ends of a connection say. It decides nothing by time.

use std::{env, process::Command};

use serde::{Deserialize, de::DeserializeOwned};
use testkit::{
    Counters, Namespace, Node, Pod, Process,
    records::Transferred,
    scene::{Scene, Stack},
    wait_until,
};

/// Which two sockets are the ends of the connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Application and sidecar.
    Outbound,
    OutboundV6,
    /// Sidecar and application, from 127.0.0.6.
    Inbound,
    /// Sidecar and application, from 127.0.0.1.
    Loopback,
    /// The sidecars of two pods.
    Pods,
}

impl Kind {
    fn flags(self) -> &'static [&'static str] {
        match self {
            Self::Outbound => {
                &["--client-uid", "1000", "--server-uid", "1337", "--listen", "0.0.0.0:15001", "--to", "10.99.0.1:80"]
            }
            Self::OutboundV6 => {
                &["--client-uid", "1000", "--server-uid", "1337", "--listen", "[::]:15001", "--to", "[fd99::1]:80"]
            }
            Self::Inbound => &[
                "--client-uid",
                "1337",
                "--server-uid",
                "1000",
                "--listen",
                "10.99.0.2:8080",
                "--source",
                "127.0.0.6:0",
                "--to",
                "10.99.0.2:8080",
            ],
            Self::Loopback => &[
                "--client-uid",
                "1337",
                "--server-uid",
                "1000",
                "--listen",
                "127.0.0.1:8080",
                "--to",
                "127.0.0.1:8080",
            ],
            Self::Pods => &[
                "--client-uid",
                "1337",
                "--server-uid",
                "1337",
                "--listen",
                "0.0.0.0:15006",
                "--to",
                "10.99.0.9:8080",
            ],
        }
    }
}

/// A pod, and for [`Kind::Pods`] a neighbor at the other end of its cable. Neither is enrolled.
pub(crate) struct Lab<'node> {
    pub(crate) kind: Kind,
    pub(crate) pod: Pod<'node>,
    pub(crate) neighbor: Option<Pod<'node>>,
    /// A machine outside of the mesh, else.
    pub(crate) outside: Option<Namespace>,
}

impl<'node> Lab<'node> {
    pub(crate) fn new(node: &'node Node, kind: Kind) -> Self {
        if kind == Kind::Pods {
            let (pod, neighbor) = (node.pod("pod"), node.pod("neighbor"));
            pod.namespace()
                .connect("eth0", &["10.99.0.2/24"], neighbor.namespace(), &["10.99.0.9/24"]);
            return Self { kind, pod, neighbor: Some(neighbor), outside: None };
        }
        let stack = if kind == Kind::OutboundV6 { Stack::V6 } else { Stack::V4 };
        let Scene { pod, outside, stack: _ } = Scene::with_stack(node, "pod", stack);
        Self { kind, pod, neighbor: None, outside: Some(outside) }
    }

    pub(crate) fn pods(&self) -> impl Iterator<Item = &Pod<'node>> {
        std::iter::once(&self.pod).chain(&self.neighbor)
    }

    pub(crate) fn enroll(&self, flags: &[&str]) {
        self.pods().for_each(|pod| pod.enroll(flags));
    }

    /// `interceptor-probe pair … WHAT`
    fn command(&self, what: &[&str]) -> Command {
        pair(
            self.pod.namespace(),
            self.neighbor.as_ref().map(Pod::namespace),
            &[self.kind.flags(), what].concat(),
        )
    }

    pub(crate) fn run<T: DeserializeOwned>(&self, what: &[&str]) -> T {
        finish(self.command(what))
    }

    pub(crate) fn start(&self, what: &[&str]) -> Process {
        Process::spawn(format!("{:?} {what:?}", self.kind), &mut self.command(what))
    }

    pub(crate) fn counters(&self) -> Counters {
        Counters::of_node(self.pod.node())
    }
}

/// `interceptor-probe pair FLAGS`, with the clients in one place and the servers there too or elsewhere.
pub(crate) fn pair(clients: &Namespace, servers: Option<&Namespace>, flags: &[&str]) -> Command {
    let servers = servers.map(|servers| [servers.path().display().to_string(), servers.cgroup().display().to_string()]);
    let mut all: Vec<&str> = Vec::new();
    if let Some([netns, cgroup]) = &servers {
        all.extend(["--server-netns", netns, "--server-cgroup", cgroup]);
    }
    all.extend(flags);
    clients.root().pair(&all)
}

/// Runs a probe to its end, however long that takes.
pub(crate) fn finish<T: DeserializeOwned>(mut command: Command) -> T {
    let output = command.output().expect("start the probe");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {stderr}");
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {stderr}"))
}

/// Waits until a stream's data has arrived that had not before.
pub(crate) fn goes_on(stream: &mut Process) {
    let mut arrived = || {
        stream.say("");
        stream.json::<Transferred>().bytes
    };
    let before = arrived();
    wait_until("traffic goes on", || arrived() > before + (1 << 20));
}

/// Directions that were sent something in: accelerated or not.
pub(crate) fn directions(counters: &Counters) -> u64 {
    ["accelerated", "acceleration_peer_absent", "acceleration_unproven", "acceleration_urgent_data"]
        .iter()
        .map(|label| counters.of(label))
        .sum()
}

/// The reasons why what has this consequence is so on this kernel, in the order of `interceptor check`; none if
/// everything is there.
pub(crate) fn absent(node: &Node, consequence: &str) -> Vec<String> {
    #[derive(Deserialize)]
    struct Feature {
        without: String,
        answer: String,
    }
    let check = node.run(&["check", "-o", "json"]);
    let features: Vec<Feature> = check.json();
    assert!(
        features.iter().any(|feature| feature.without == consequence),
        "nothing has this consequence: {check}"
    );
    let absent = features.into_iter().filter(|feature| feature.without == consequence);
    absent
        .filter_map(|feature| Some(feature.answer.split_once(": ")?.1.to_owned()))
        .collect()
}

/// `daily`, or `full` with `INTERCEPTOR_TEST_FULL`.
pub(crate) fn sized(daily: u64, full: u64) -> u64 {
    if env::var_os("INTERCEPTOR_TEST_FULL").is_some_and(|value| !value.is_empty()) {
        full
    } else {
        daily
    }
}
