// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The usual surroundings: a pod with an application, and a machine outside of the mesh with a server.

pub use interceptor_verify::Stack;

use crate::{launcher::Launcher, namespace::Namespace, node::Node, pod::Pod, process::Process, records::Report};

/// The pod's first address.
pub const POD: &str = "10.99.0.2";
/// Another one on the same interface.
pub const POD_SECOND: &str = "10.99.0.3";
/// The machine outside of the mesh.
pub const OUTSIDE: &str = "10.99.0.1";
/// A server there.
pub const SERVER: &str = "10.99.0.1:80";
/// The application.
pub const APP: &str = "10.99.0.2:8080";

/// The same for IPv6.
pub const POD_V6: &str = "fd99::2";
pub const POD_SECOND_V6: &str = "fd99::3";
pub const OUTSIDE_V6: &str = "fd99::1";
pub const SERVER_V6: &str = "[fd99::1]:80";
pub const APP_V6: &str = "[fd99::2]:8080";

/// Flags for a sidecar in a pod with these addresses: Istio lets Envoy listen on both wildcard addresses if there are
/// addresses of both families.
pub fn sidecar_flags(stack: Stack) -> &'static [&'static str] {
    match stack {
        Stack::V4 => &[],
        Stack::V6 => &["--bind", "::"],
        Stack::Dual => &["--bind", "0.0.0.0", "--bind", "::"],
    }
}

/// `v4` and `v6`, as far as the pod has these families.
fn choose<'text>(stack: Stack, v4: &[&'text str], v6: &[&'text str]) -> Vec<&'text str> {
    let v4 = v4.iter().filter(|_| stack.has_v4());
    v4.chain(v6.iter().filter(|_| stack.has_v6())).copied().collect()
}

/// One pod, connected to one machine outside of the mesh by a cable of their own. All scenes have the same addresses.
pub struct Scene<'node> {
    pub pod: Pod<'node>,
    pub outside: Namespace,
    pub stack: Stack,
}

/// How a connection got where it was going.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    Direct,
    ThroughSidecar,
    /// Not at all: the step that failed, and its errno.
    Failed(String),
}

impl Outcome {
    pub fn refused() -> Self {
        Self::Failed("connect:ECONNREFUSED".to_owned())
    }
}

impl<'node> Scene<'node> {
    pub fn new(node: &'node Node, name: &str) -> Self {
        Self::with_stack(node, name, Stack::V4)
    }

    pub fn with_stack(node: &'node Node, name: &str, stack: Stack) -> Self {
        let outside = node.outside(&format!("{name}-outside"));
        let pod = node.pod(name);
        let with_len = |v4: &[&str], v6: &[&str]| -> Vec<String> {
            let v4 = v4.iter().filter(|_| stack.has_v4()).map(|ip| format!("{ip}/24"));
            v4.chain(v6.iter().filter(|_| stack.has_v6()).map(|ip| format!("{ip}/64")))
                .collect()
        };
        let (inside, far) = (
            with_len(&[POD, POD_SECOND], &[POD_SECOND_V6, POD_V6]),
            with_len(&[OUTSIDE], &[OUTSIDE_V6]),
        );
        let inside: Vec<&str> = inside.iter().map(String::as_str).collect();
        let far: Vec<&str> = far.iter().map(String::as_str).collect();
        pod.namespace().connect("eth0", &inside, &outside, &far);
        for via in choose(stack, &[OUTSIDE], &[OUTSIDE_V6]) {
            pod.namespace().ip(&format!("route add default via {via}"));
        }
        Self { pod, outside, stack }
    }

    /// Starts the application, and the server outside. Both also listen on `port`.
    pub fn serve(&self, port: u16) -> [Process; 2] {
        let more = [format!("0.0.0.0:{port}"), format!("[::]:{port}")];
        let (more_v4, more_v6) = (more[0].as_str(), more[1].as_str());
        [
            self.pod
                .app()
                .serve("app", &choose(self.stack, &["0.0.0.0:8080", more_v4], &["[::]:8080", more_v6])),
            self.outside
                .root()
                .serve("outside", &choose(self.stack, &["0.0.0.0:80", more_v4], &["[::]:80", more_v6])),
        ]
    }

    /// Starts the sidecar. It connects onward from an address that the application does not use, so nobody takes one
    /// for the other.
    pub fn sidecar(&self, flags: &[&str]) -> Process {
        let source: &[&str] = match self.stack {
            Stack::V4 => &["--source", POD_SECOND],
            Stack::V6 => &["--source", POD_SECOND_V6],
            Stack::Dual => &["--source", POD_SECOND, "--source", POD_SECOND_V6],
        };
        self.pod.proxy().sidecar(&[source, sidecar_flags(self.stack), flags].concat())
    }

    /// The server outside; with both families by IPv6.
    pub fn server(&self) -> &'static str {
        if self.stack.has_v6() { SERVER_V6 } else { SERVER }
    }

    /// The application; with both families by IPv6.
    pub fn app(&self) -> &'static str {
        if self.stack.has_v6() { APP_V6 } else { APP }
    }

    /// Flags of a probe that dials [`Self::server`] or [`Self::app`].
    pub fn client_flags(&self) -> &'static [&'static str] {
        if self.stack.has_v6() { &["--family", "6"] } else { &[] }
    }

    /// Connects from the application to the server outside.
    pub fn outbound(&self) -> Outcome {
        outcome_of(&self.pod.app().connect(self.server(), self.client_flags()))
    }

    /// Connects from outside to the application.
    pub fn inbound(&self) -> Outcome {
        outcome_of(&self.outside.root().connect(self.app(), self.client_flags()))
    }
}

/// Connects, and looks who stands between.
pub fn outcome(client: &Launcher, to: &str) -> Outcome {
    outcome_of(&client.connect(to, &[]))
}

pub fn outcome_of(report: &Report) -> Outcome {
    match &report.error {
        Some(failure) => Outcome::Failed(format!("{}:{}", failure.step, failure.errno)),
        None if report.is_direct() => Outcome::Direct,
        None => Outcome::ThroughSidecar,
    }
}
