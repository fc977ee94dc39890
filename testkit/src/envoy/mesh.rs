// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Two pods of a mesh with an Envoy each, and a machine outside of it that is also the router between them.

use std::{fmt, net::SocketAddr};

use super::{
    binary::Binary,
    config::{Config, Port, Protocol, Service},
    line::Line,
    ports,
    process::{Envoy, EnvoyFiles, Start},
    tls,
};
use crate::{
    backend::Backend,
    launcher::{Launcher, PROXY_UID},
    namespace::Namespace,
    node::Node,
    pod::Pod,
    process::Process,
    scene::Stack,
};

/// What a mesh is tried with.
#[derive(Clone, Debug)]
pub struct Variant {
    pub envoy: Binary,
    pub stack: Stack,
}

/// How connections from outside come to the sidecar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    Redirect,
    /// The application sees the client's own address.
    Tproxy,
}

/// A variant in one mode.
#[derive(Clone, Debug)]
pub struct Case {
    pub variant: Variant,
    pub mode: Mode,
    /// Under this project; iptables cannot.
    pub accelerate: bool,
}

/// In Istio's default mode.
impl From<&Variant> for Case {
    fn from(variant: &Variant) -> Self {
        Self { variant: variant.clone(), mode: Mode::Redirect, accelerate: false }
    }
}

impl From<&Self> for Case {
    fn from(case: &Self) -> Self {
        case.clone()
    }
}

impl fmt::Display for Case {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { variant: Variant { envoy, stack }, mode, accelerate } = self;
        let mode = match mode {
            Mode::Redirect => "redirect",
            Mode::Tproxy => "tproxy",
        };
        let accelerated = if *accelerate { "_accelerated" } else { "" };
        write!(formatter, "{}::{mode}{accelerated}::{stack}", envoy.name())
    }
}

/// The addresses of one family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Family {
    /// Of the pod that asks.
    pub client: &'static str,
    /// Of the pod that answers.
    pub server: &'static str,
    /// Of the machine outside, as the client and as the server knows it.
    pub outside: &'static str,
    outside_of_server: &'static str,
    /// The service that leads to the server.
    pub service: &'static str,
    /// A service that leads to the client itself.
    pub own_service: &'static str,
    prefix: u8,
    suffix: &'static str,
}

impl Family {
    pub const V4: Self = Self {
        client: "10.99.1.2",
        server: "10.99.2.2",
        outside: "10.99.1.1",
        outside_of_server: "10.99.2.1",
        service: "10.96.0.10",
        own_service: "10.96.0.11",
        prefix: 24,
        suffix: "",
    };
    pub const V6: Self = Self {
        client: "fd99:1::2",
        server: "fd99:2::2",
        outside: "fd99:1::1",
        outside_of_server: "fd99:2::1",
        service: "fd96::10",
        own_service: "fd96::11",
        prefix: 64,
        suffix: "-v6",
    };

    /// Those that a pod has.
    pub fn of(stack: Stack) -> Vec<Self> {
        let families = [(stack.has_v4(), Self::V4), (stack.has_v6(), Self::V6)];
        families
            .into_iter()
            .filter_map(|(exists, family)| exists.then_some(family))
            .collect()
    }

    /// `10.0.0.1:80`, or `[fd99::1]:80`.
    pub fn at(ip: &str, port: u16) -> String {
        if ip.contains(':') { format!("[{ip}]:{port}") } else { format!("{ip}:{port}") }
    }

    /// By this name the service is called.
    pub fn name(&self) -> String {
        format!("web{}", self.suffix)
    }

    fn services(&self) -> [Service; 4] {
        let address = |ip: &str, port| -> SocketAddr { Self::at(ip, port).parse().expect("an address") };
        let service = |name: String, ip, port, endpoint, to, protocol| Service {
            name,
            address: address(ip, port),
            endpoint: address(endpoint, to),
            protocol,
        };
        [
            service(self.name(), self.service, 80, self.server, Mesh::HTTP, Protocol::Detect),
            service(self.name(), self.service, 443, self.server, Mesh::TLS, Protocol::Tls),
            service(self.name(), self.service, Mesh::TCP, self.server, Mesh::TCP, Protocol::Tcp),
            service(
                format!("own{}", self.suffix),
                self.own_service,
                80,
                self.client,
                Mesh::HTTP,
                Protocol::Detect,
            ),
        ]
    }
}

/// Both pods, with applications and sidecars.
pub struct Mesh<'node> {
    pub client: Pod<'node>,
    pub server: Pod<'node>,
    pub outside: Namespace,
    case: Case,
    files: [EnvoyFiles; 2],
    envoys: [Option<Envoy>; 2],
    _applications: Vec<Process>,
}

/// Which of the two pods.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    Client,
    Server,
}

impl<'node> Mesh<'node> {
    /// The applications speak HTTP here, of both versions.
    pub const HTTP: u16 = ports::HTTP;
    /// Here the server's application speaks first.
    pub const TCP: u16 = ports::TCP;
    /// Here it speaks TLS.
    pub const TLS: u16 = ports::TLS;
    /// Here it speaks HTTP, and the mesh does not know.
    pub const UNDECLARED: u16 = ports::UNDECLARED;

    /// `name` tells meshes on one node apart. All have the same addresses.
    pub fn new(node: &'node Node, name: &str, case: impl Into<Case>, backend: Backend) -> Self {
        Self::with_start(node, name, case, backend, Start::Alone)
    }

    /// The same, with sidecars that begin like this.
    pub fn with_start(node: &'node Node, name: &str, case: impl Into<Case>, backend: Backend, start: Start) -> Self {
        let case = case.into();
        let (stack, mode, accelerate) = (case.variant.stack, case.mode, case.accelerate);
        Self::intercepted_by(node, name, case, start, |pod| {
            let flags: &[&str] = if accelerate { &["--accelerate"] } else { &[] };
            match mode {
                Mode::Redirect => backend.enroll_with(pod, stack, flags),
                Mode::Tproxy => backend.enroll_tproxy_with(pod, stack, flags),
            }
        })
    }

    /// The same, with pods that `intercept` puts interception in force in, before their sidecars are there.
    pub fn intercepted_by(
        node: &'node Node,
        name: &str,
        case: Case,
        start: Start,
        mut intercept: impl FnMut(&Pod<'_>),
    ) -> Self {
        let stack = case.variant.stack;
        let outside = node.outside(&format!("{name}-out"));
        let [client, server] = ["client", "server"].map(|pod| node.pod(&format!("{name}-{pod}")));
        for family in Family::of(stack) {
            let forwarding = if family.prefix == 24 {
                "net.ipv4.ip_forward"
            } else {
                "net.ipv6.conf.all.forwarding"
            };
            outside.sysctl(forwarding, "1");
        }
        if case.mode == Mode::Tproxy {
            // The server's sidecar connects by its clients' addresses. From a port that one of them is connected
            // from, one of the two connections would fail (`docs/differences.md`).
            const PORTS: &str = "net.ipv4.ip_local_port_range";
            for clients in [client.namespace(), &outside] {
                clients.sysctl(PORTS, "32768 45999");
            }
            server.namespace().sysctl(PORTS, "46000 60999");
        }
        cable(&client, stack, &outside, |family| (family.client, family.outside));
        cable(&server, stack, &outside, |family| (family.server, family.outside_of_server));
        let applications = [("client", client.app()), ("server", server.app()), ("outside", outside.root())];
        let mut applications: Vec<Process> = applications
            .into_iter()
            .flat_map(|(name, launcher)| serve(name, &launcher, stack))
            .collect();
        let of_tls: Vec<String> = Family::of(stack)
            .iter()
            .map(|family| Family::at(family.server, Self::TLS))
            .collect();
        applications.extend(tls::serve(node, name, &server.app(), &of_tls));
        for pod in [&client, &server] {
            intercept(pod);
        }
        let files = ["client", "server"].map(|pod| EnvoyFiles::new(node, &format!("{name}-{pod}-envoy")));
        let mut mesh = Self {
            client,
            server,
            outside,
            case,
            files,
            envoys: [None, None],
            _applications: applications,
        };
        mesh.start(Side::Client, start);
        mesh.start(Side::Server, start);
        mesh
    }

    pub fn families(&self) -> Vec<Family> {
        Family::of(self.case.variant.stack)
    }

    pub fn pod(&self, side: Side) -> &Pod<'node> {
        match side {
            Side::Client => &self.client,
            Side::Server => &self.server,
        }
    }

    /// The pod's sidecar. Panics if it has been taken.
    pub fn envoy(&self, side: Side) -> &Envoy {
        self.envoys[side as usize].as_ref().expect("an Envoy")
    }

    /// Starts a sidecar; returns the one before it, if it was not taken.
    pub fn start(&mut self, side: Side, start: Start) -> Option<Envoy> {
        let pod = self.pod(side);
        let config = self.config();
        let launcher = match self.case.mode {
            Mode::Redirect => pod.proxy(),
            // As Istio runs it: with the right to have transparent sockets.
            Mode::Tproxy => pod.proxy_as(0, PROXY_UID),
        };
        let envoy = Envoy::start(
            &launcher,
            pod.node(),
            &self.case.variant.envoy,
            &config,
            &self.files[side as usize],
            start,
        );
        self.envoys[side as usize].replace(envoy)
    }

    /// Takes the pod's sidecar, for the caller to end it.
    pub fn take(&mut self, side: Side) -> Envoy {
        self.envoys[side as usize].take().expect("an Envoy")
    }

    /// Ends both sidecars, and returns what the client's and the server's logged.
    pub fn stop(mut self) -> [Vec<Line>; 2] {
        [self.take(Side::Client).stop(), self.take(Side::Server).stop()]
    }

    fn config(&self) -> Config {
        let port = |number, protocol| Port { number, protocol };
        Config {
            services: self.families().iter().flat_map(Family::services).collect(),
            ports: vec![
                port(Self::HTTP, Protocol::Detect),
                port(Self::TCP, Protocol::Tcp),
                port(Self::TLS, Protocol::Tls),
            ],
            transparent: self.case.mode == Mode::Tproxy,
            ..Config::new(self.case.variant.stack)
        }
    }
}

fn cable(pod: &Pod<'_>, stack: Stack, outside: &Namespace, ends: impl Fn(&Family) -> (&'static str, &'static str)) {
    let families = Family::of(stack);
    let address = |ip: &str, family: &Family| format!("{ip}/{}", family.prefix);
    let near: Vec<String> = families.iter().map(|family| address(ends(family).0, family)).collect();
    let far: Vec<String> = families.iter().map(|family| address(ends(family).1, family)).collect();
    let [near, far] = [&near, &far].map(|list| list.iter().map(String::as_str).collect::<Vec<_>>());
    pod.namespace().connect("eth0", &near, outside, &far);
    for family in &families {
        pod.namespace().ip(&format!("route add default via {}", ends(family).1));
    }
}

/// An application on both of its ports.
fn serve(name: &str, launcher: &Launcher, stack: Stack) -> [Process; 2] {
    let everywhere = |port: u16| -> Vec<String> {
        let wildcards = [(stack.has_v4(), format!("0.0.0.0:{port}")), (stack.has_v6(), format!("[::]:{port}"))];
        wildcards
            .into_iter()
            .filter_map(|(exists, address)| exists.then_some(address))
            .collect()
    };
    let http = [everywhere(Mesh::HTTP), everywhere(Mesh::UNDECLARED)].concat();
    let tcp = everywhere(Mesh::TCP);
    let [http, tcp] = [&http, &tcp].map(|list| list.iter().map(String::as_str).collect::<Vec<_>>());
    [launcher.origin(name, &http), launcher.serve(name, &tcp)]
}
