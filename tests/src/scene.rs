// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The usual surroundings: a pod with an application, and a machine outside of the mesh with a server.

use crate::{
    launcher::Launcher,
    node::Node,
    pod::{Namespace, Pod},
    process::Process,
    records::Report,
};

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

/// One pod, connected to one machine outside of the mesh by a cable of their own. All scenes have the same addresses.
pub struct Scene<'node> {
    pub pod: Pod<'node>,
    pub outside: Namespace,
}

/// How a connection got where it was going.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Way {
    Direct,
    ThroughSidecar,
    /// Not at all: the step that failed, and its errno.
    Failed(String),
}

impl Way {
    pub fn refused() -> Self {
        Self::Failed("connect:ECONNREFUSED".to_owned())
    }
}

impl<'node> Scene<'node> {
    pub fn new(node: &'node Node, name: &str) -> Self {
        let outside = node.outside(&format!("{name}-outside"));
        let pod = node.pod(name);
        let (addresses, outside_address) = ([POD, POD_SECOND].map(|ip| format!("{ip}/24")), format!("{OUTSIDE}/24"));
        pod.namespace().connect("eth0", &addresses.each_ref().map(String::as_str), &outside, &[&outside_address]);
        pod.namespace().ip(&format!("route add default via {OUTSIDE}"));
        Self { pod, outside }
    }

    /// Starts the application, and the server outside. Both also listen on `port`.
    pub fn serve(&self, port: u16) -> [Process; 2] {
        let more = format!("0.0.0.0:{port}");
        [self.pod.app().serve("app", &["0.0.0.0:8080", &more]), self.outside.root().serve("outside", &["0.0.0.0:80", &more])]
    }

    /// Starts the sidecar. It connects onward from an address that the application does not use, so nobody takes one for the other.
    pub fn sidecar(&self, flags: &[&str]) -> Process {
        self.pod.proxy().sidecar(&[&["--source", POD_SECOND], flags].concat())
    }

    /// Connects from the application to the server outside.
    pub fn outbound(&self) -> Way {
        way(&self.pod.app(), SERVER)
    }

    /// Connects from outside to the application.
    pub fn inbound(&self) -> Way {
        way(&self.outside.root(), APP)
    }
}

/// Connects, and looks who stands between.
pub fn way(client: &Launcher, to: &str) -> Way {
    way_of(&client.connect(to, &[]))
}

pub fn way_of(report: &Report) -> Way {
    match &report.error {
        Some(failure) => Way::Failed(format!("{}:{}", failure.step, failure.errno)),
        None if report.is_direct() => Way::Direct,
        None => Way::ThroughSidecar,
    }
}
