// SPDX-License-Identifier: Apache-2.0 OR MIT
//! One of the two pods: its neighbor outside, and everyone in both. It does not know by what its connections are
//! redirected.

use std::{collections::BTreeSet, path::PathBuf, time::Duration};

use super::{
    network,
    seen::{AGENT, INBOUND, OUTBOUND},
};
use crate::{
    Scratch, Stack,
    flow::Flow,
    istio::Config,
    messages::Report,
    scratch::{Place, Talker, Who},
};

/// Ports on which the application and the server outside listen.
const APP_PORTS: &[u16] = &[22, 53, 80, 8080, 8081, 9000, 15002, 15008, 15020, 15021, 15090];
const OUTSIDE_PORTS: &[u16] = &[22, 53, 80, 443, 8080, 9000, 15001, 15006, 15008];
const UDP_PORTS: &[u16] = &[53, 8080];
/// Of Istio's DNS agent.
pub(super) const AGENT_PORT: u16 = 15053;

/// The application's user and group.
const APP: Who = Who { uid: 1000, gid: 1000 };

/// Every listening socket takes fast open, with data and without a cookie. What connection tracking knows of a flow
/// is forgotten soon, so that it does not decide about another one with the same ports.
const SYSCTLS: &[(&str, &str)] = &[
    ("net.ipv4.ip_unprivileged_port_start", "0"),
    ("net.ipv4.tcp_fastopen", "1543"),
    ("net.netfilter.nf_conntrack_tcp_timeout_close", "1"),
    ("net.netfilter.nf_conntrack_udp_timeout", "1"),
    ("net.netfilter.nf_conntrack_udp_timeout_stream", "1"),
];

/// A pod, its neighbor, and everyone in them.
pub(super) struct Twin {
    pub(super) pod: Place,
    pub(super) outside: Place,
    /// The cgroups of the two containers.
    containers: [PathBuf; 2],
    servers: Vec<Talker>,
    /// Ports on which the application listens, and the server outside.
    served: [BTreeSet<u16>; 2],
    /// With what it was started for.
    sidecar: Option<(Sidecar, [Talker; 3])>,
    /// Whether it has the addresses that come after enrollment.
    late: bool,
    stack: Stack,
}

/// Whom a sidecar runs as, and on which ports it is redirected to.
#[derive(Clone, PartialEq, Eq)]
struct Sidecar {
    user: Who,
    outbound_port: String,
    inbound_port: String,
    transparent: bool,
}

impl Twin {
    pub(super) fn new(scratch: &Scratch, name: &str, stack: Stack) -> anyhow::Result<Self> {
        let outside = scratch.place(&format!("{name}-out"))?;
        let pod = scratch.place(name)?;
        network::lay(&pod, &outside, stack)?;
        let containers = [pod.container("app")?, pod.container("sidecar")?];
        let served = [APP_PORTS, OUTSIDE_PORTS].map(|ports| ports.iter().copied().collect());
        let mut twin = Self {
            pod,
            outside,
            containers,
            servers: Vec::new(),
            served,
            sidecar: None,
            late: false,
            stack,
        };
        twin.settle()?;
        let udp = UDP_PORTS.iter().flat_map(|port| everywhere(*port));
        let udp: Vec<String> = udp.flat_map(|address| ["--udp".to_owned(), address]).collect();
        twin.serve("app", &udp, APP_PORTS.iter().copied())?;
        twin.serve("outside", &udp, OUTSIDE_PORTS.iter().copied())?;
        Ok(twin)
    }

    /// Sets what can be set. The settings of connection tracking may be there from the first rule on.
    pub(super) fn settle(&self) -> anyhow::Result<()> {
        self.pod.sysctls(SYSCTLS)?;
        self.outside.sysctls(&SYSCTLS[1..])
    }

    /// Lets the application and the server outside listen on more ports.
    pub(super) fn serve_more(&mut self, to_pod: &BTreeSet<u16>, outside: &BTreeSet<u16>) -> anyhow::Result<()> {
        for (name, index, ports) in [("app", 0, to_pod), ("outside", 1, outside)] {
            let more: BTreeSet<u16> = ports.difference(&self.served[index]).copied().collect();
            if !more.is_empty() {
                self.serve(name, &[], more.iter().copied())?;
                self.served[index].extend(more);
            }
        }
        Ok(())
    }

    fn serve(&mut self, name: &str, udp: &[String], ports: impl Iterator<Item = u16>) -> anyhow::Result<()> {
        let flags: Vec<String> = udp.iter().cloned().chain(ports.flat_map(everywhere)).collect();
        let server = if name == "app" {
            self.pod.serve(&self.containers[0], APP, name, &flags)?
        } else {
            self.outside.serve(self.outside.cgroup(), Who::ROOT, name, &flags)?
        };
        self.servers.push(server);
        Ok(())
    }

    /// Gives the pod the addresses that come after enrollment, or takes them away.
    pub(super) fn set_late(&mut self, late: bool) -> anyhow::Result<()> {
        match (self.late, late) {
            (false, true) => network::add_late(&self.pod, self.stack)?,
            (true, false) => network::remove_late(&self.pod, self.stack)?,
            _ => {}
        }
        self.late = late;
        Ok(())
    }

    /// Replaces the sidecar by one as `config` wants it, unless it is one already.
    pub(super) fn start_sidecar(&mut self, config: &Config) -> anyhow::Result<()> {
        let (uid, gid) = config.proxy();
        let wanted = Sidecar {
            user: Who { uid, gid },
            outbound_port: config.flag('p').to_owned(),
            inbound_port: config.flag('z').to_owned(),
            transparent: config.is_tproxy(),
        };
        if self.sidecar.as_ref().is_some_and(|(running, _)| *running == wanted) {
            return Ok(());
        }
        drop(self.sidecar.take());
        let serve = |name, flags: &[String]| self.pod.serve(&self.containers[1], wanted.user, name, flags);
        let redirected = |name, port: &str, transparent: bool| {
            let transparent = transparent.then(|| "--transparent".to_owned());
            let everywhere = [format!("0.0.0.0:{port}"), format!("[::]:{port}")];
            serve(name, &transparent.into_iter().chain(everywhere).collect::<Vec<_>>())
        };
        // As Istio's agent does, it listens on loopback only.
        let [v4, v6] = [format!("127.0.0.1:{AGENT_PORT}"), format!("[::1]:{AGENT_PORT}")];
        let udp = "--udp".to_owned();
        let processes = [
            redirected(OUTBOUND, &wanted.outbound_port, false)?,
            redirected(INBOUND, &wanted.inbound_port, wanted.transparent)?,
            serve(AGENT, &[udp.clone(), v4.clone(), udp, v6.clone(), v4, v6])?,
        ];
        self.sidecar = Some((wanted, processes));
        Ok(())
    }

    pub(super) fn ask(&mut self, flow: &Flow, port: u16, limit: Duration) -> anyhow::Result<()> {
        let request = serde_json::to_string(&flow.request(port, limit))?;
        self.agent(flow).say(&request)
    }

    pub(super) fn answer(&mut self, flow: &Flow) -> anyhow::Result<Report> {
        self.agent(flow).json()
    }

    fn agent(&mut self, flow: &Flow) -> &mut Talker {
        if flow.inbound { &mut self.outside.agent } else { &mut self.pod.agent }
    }
}

fn everywhere(port: u16) -> [String; 2] {
    [format!("0.0.0.0:{port}"), format!("[::]:{port}")]
}
