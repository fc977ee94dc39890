// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A Kubernetes node with our agent on it, and what all of its processes need.

use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use testkit::{
    Node, Process, cgroup2_mount_point,
    cluster::{CgroupMode, Cluster, NODE_NAME},
    timeout, wait_until,
};

use super::{
    moments::{connection_seen, sandbox_asked_for, since},
    pods::{Way, image, pod},
};
use crate::worker::time_of_cgroup;

/// How long the node is watched while nothing is asked of it.
const IDLE: Duration = Duration::from_secs(4);
/// How long after the first connection what it needs still counts for the pod.
const AFTER: Duration = Duration::from_secs(2);

/// The plugin is in the chain of all pods, and lets those pass that it has nothing to do with. One pod is intercepted
/// all the time.
pub(super) struct Machine {
    _agent: Process,
    cluster: Cluster,
    /// Owns the cgroup of the node's own processes; kubelet puts those of pods elsewhere.
    _owner: Node,
    cgroups: [PathBuf; 2],
}

/// What starting a pod came to.
pub(super) struct Started {
    /// Until the first connection.
    pub(super) nanoseconds: f64,
    /// Processor time, and in how long.
    used: Duration,
    within: Duration,
}

impl Machine {
    /// The plugin is in force when this returns.
    pub(super) fn start(shipped: &Path) -> Result<Self> {
        let owner = Node::new();
        let own = owner.outside("node").cgroup().to_owned();
        let cluster = Cluster::start(CgroupMode::Unified);
        cluster.import(&image(&cluster, shipped));
        move_processes(&cluster, &own)?;
        let mut command = cluster.node(shipped.join("interceptor-agent"));
        command
            .args(["--install=true", "--mounted-cni-net-dir=/etc/cni/net.d", "--mounted-cni-bin-dir=/opt/cni/bin"])
            .arg(format!("--node-name={NODE_NAME}"))
            .arg(format!("--kubeconfig={}", cluster.kubeconfig().display()));
        let agent = Process::spawn("agent", &mut command);
        wait_until("the agent is ready", || cluster.succeed(&["sh", "-c", READY]) == "200");
        move_processes(&cluster, &own)?;
        let cgroups = [own, cgroup2_mount_point().join("kubepods")];
        let machine = Self { _agent: agent, cluster, _owner: owner, cgroups };
        // The first pod of a node loads the programs, and they go with the last one.
        machine.start_pod("first", &pod(Way::Plugin, "first"))?;
        Ok(machine)
    }

    /// What share of a processor the node needs while nothing is asked of it.
    pub(super) fn idle(&self) -> Result<f64> {
        let (start, before) = (Instant::now(), self.processor_time()?);
        let due = start + IDLE;
        wait_until("the node has been watched", || Instant::now() >= due);
        let used = self.processor_time()?.saturating_sub(before);
        Ok(used.as_secs_f64() / start.elapsed().as_secs_f64())
    }

    /// Starts a pod, and waits for the first connection that its sidecar sees.
    pub(super) fn start_pod(&self, name: &str, pod: &Value) -> Result<Started> {
        let (start, before) = (Instant::now(), self.processor_time()?);
        self.cluster.apply(std::slice::from_ref(pod));
        let deadline = start + timeout();
        let mut seen = None;
        wait_until("a sidecar sees a connection", || {
            seen = self
                .sidecar_log(name)
                .map(|log| connection_seen(&log))
                .transpose()
                .unwrap_or_default()
                .flatten();
            seen.is_some() || Instant::now() >= deadline
        });
        let seen = seen.with_context(|| format!("the sidecar of {name} sees no connection within {:?}", timeout()))?;
        let asked = fs::read_to_string(self.cluster.logs().join("containerd.log")).context("read containerd's log")?;
        let asked = sandbox_asked_for(&asked, name)?.with_context(|| format!("containerd was not asked for {name}"))?;
        let due = Instant::now() + AFTER;
        wait_until("the pod runs", || Instant::now() >= due);
        let used = self.processor_time()?.saturating_sub(before);
        Ok(Started {
            nanoseconds: since(asked, seen).as_secs_f64() * 1e9,
            used,
            within: start.elapsed(),
        })
    }

    pub(super) fn remove_pod(&self, name: &str) {
        self.cluster.delete(&[&format!("pod/{name}")]);
    }

    fn processor_time(&self) -> Result<Duration> {
        self.cgroups.iter().map(|cgroup| time_of_cgroup(cgroup)).sum()
    }

    /// As the runtime writes it; kubectl would have the node work for it.
    fn sidecar_log(&self, pod: &str) -> Option<String> {
        let pods = fs::read_dir(self.cluster.logs().join("pods")).ok()?.flatten();
        let prefix = format!("default_{pod}_");
        let directory = pods
            .into_iter()
            .find(|entry| entry.file_name().to_string_lossy().starts_with(&prefix))?;
        fs::read_to_string(directory.path().join("istio-proxy/0.log")).ok()
    }
}

impl Started {
    /// In nanoseconds.
    pub(super) fn used_beyond(&self, idle: f64) -> f64 {
        (self.used.as_secs_f64() - idle * self.within.as_secs_f64()).max(0.0) * 1e9
    }
}

const READY: &str = "curl --silent --output /dev/null --write-out '%{http_code}' http://127.0.0.1:8000/readyz; true";

/// Moves all processes of the node that are in no pod. What they start later is where they are.
fn move_processes(cluster: &Cluster, cgroup: &Path) -> Result<()> {
    let place = fs::read_link(cluster.namespace("pid")).context("look at the node's PID namespace")?;
    let members = cgroup.join("cgroup.procs");
    let mut moved = 0;
    for entry in fs::read_dir("/proc").context("list processes")?.flatten() {
        let pid = entry.file_name().to_string_lossy().into_owned();
        // Others than processes have no such link, and processes may have ended since.
        let is_there = fs::read_link(entry.path().join("ns/pid")).is_ok_and(|namespace| namespace == place);
        if is_there && fs::write(&members, pid).is_ok() {
            moved += 1;
        }
    }
    ensure!(moved > 0, "no process of the node could be moved to {}", cgroup.display());
    Ok(())
}
