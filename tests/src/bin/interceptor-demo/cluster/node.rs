// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What is on the node.

use anyhow::Context as _;
use serde_json::Value;
use testkit::{Run, cluster::Cluster, interceptor_binary};

const LIST: &str = "/etc/cni/net.d/10-bridge.conflist";

/// What an installation may leave.
#[derive(Debug, PartialEq)]
pub(super) struct OnNode {
    /// Below the directories of plugins, of their configurations and of the BPF file system.
    files: Vec<String>,
    /// What the list of the node's network says.
    list: Value,
}

pub(super) fn look(cluster: &Cluster) -> anyhow::Result<OnNode> {
    let places = ["/opt/cni/bin", "/etc/cni/net.d", "/sys/fs/bpf"];
    let found = cluster.succeed(&[&["find"], &places[..], &["-printf", "%p %m %u\\n"]].concat());
    let mut files: Vec<_> = found.lines().map(str::to_owned).collect();
    files.sort();
    Ok(OnNode { files, list: list(cluster)? })
}

/// The types of the plugins in the list of the node's network.
pub(super) fn plugins(cluster: &Cluster) -> anyhow::Result<Vec<String>> {
    let list = list(cluster)?;
    let plugins = list["plugins"].as_array().context("the list has plugins")?;
    Ok(plugins
        .iter()
        .map(|plugin| plugin["type"].as_str().unwrap_or_default().to_owned())
        .collect())
}

fn list(cluster: &Cluster) -> anyhow::Result<Value> {
    serde_json::from_str(&cluster.read(LIST)).context("the list of the node's network")
}

/// The names of the pods that are enrolled, by the node's own pins and records.
pub(super) fn enrolled(cluster: &Cluster) -> Vec<String> {
    let mut status = cluster.node(interceptor_binary());
    status.args(["status", "--output", "json"]);
    let pods: Vec<Value> = Run::of(status).json();
    let mut names: Vec<_> = pods
        .iter()
        .map(|pod| pod["pod"].as_str().unwrap_or("unknown").to_owned())
        .collect();
    names.sort();
    names
}

/// How often each reason has decided in a pod.
pub(super) fn metric(cluster: &Cluster, line: &str) -> Option<u64> {
    let text = cluster.succeed(&["curl", "--silent", "--show-error", "http://127.0.0.1:15014/metrics"]);
    let found = text.lines().find_map(|candidate| candidate.strip_prefix(line))?;
    found.trim().parse().ok()
}
