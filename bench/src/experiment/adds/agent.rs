// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The agent that our plugin asks, with an API server that knows the pods.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::Context as _;
use serde_json::json;
use testkit::{
    Node, Process,
    api_server::{Api, NODE},
};

use super::chain::Sandbox;
use crate::worker::time_of_cgroup;

const NAMESPACE: &str = "bench";

/// A running agent. It ends with the value.
pub(super) struct Agent<'node> {
    _process: Process,
    api: Api,
    node: &'node Node,
    /// It has one of its own, so that its time can be told.
    cgroup: PathBuf,
}

impl<'node> Agent<'node> {
    /// It listens when this returns.
    pub(super) fn start(node: &'node Node, program: &Path) -> anyhow::Result<Self> {
        let api = Api::start();
        let kubeconfig = node.work().join("kubeconfig");
        fs::write(&kubeconfig, api.kubeconfig()).with_context(|| format!("write {}", kubeconfig.display()))?;
        node.bring(program, "interceptor-agent");
        let mut command = node.command(&["agent", "--node-name", NODE, "--health-port", "0", "--metrics-port", "0"]);
        command.arg("--run-dir").arg(node.run_dir()).arg("--kubeconfig").arg(kubeconfig);
        let mut process = Process::spawn("agent", command.arg("--log-json"));
        let cgroup = node.outside("agent").cgroup().to_owned();
        let members = cgroup.join("cgroup.procs");
        fs::write(&members, process.pid().to_string()).with_context(|| format!("write {}", members.display()))?;
        while process.json::<serde_json::Value>()["message"] != "listening" {}
        Ok(Self { _process: process, api, node, cgroup })
    }

    pub(super) fn run_dir(&self) -> PathBuf {
        self.node.run_dir()
    }

    /// The API knows a pod before kubelet starts it.
    pub(super) fn told_of(&self, pod: &Sandbox) {
        self.api.put(json!({
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {
                "namespace": NAMESPACE, "name": pod.name, "uid": pod.uid, "resourceVersion": "1",
                "labels": {}, "annotations": { "sidecar.istio.io/status": "{}" },
            },
            "spec": {
                "nodeName": NODE,
                "containers": [{ "name": "app" }, { "name": "istio-proxy", "args": ["proxy", "sidecar"] }],
            },
            "status": { "phase": "Pending" },
        }));
    }

    pub(super) fn told_that_gone(&self, pod: &Sandbox) {
        self.api.remove(NAMESPACE, &pod.name);
    }

    /// How many pods are enrolled.
    pub(super) fn enrolled(&self) -> usize {
        self.node.enrolled().len()
    }

    /// What it has used so far.
    pub(super) fn processor_time(&self) -> anyhow::Result<Duration> {
        time_of_cgroup(&self.cgroup)
    }
}
