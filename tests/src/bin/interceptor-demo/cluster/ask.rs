// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What is asked, told with the command that asks it.

use std::{net::SocketAddr, path::Path};

use anyhow::Context as _;
use serde_json::Value;
use testkit::{Run, cluster::Cluster, envoy::Line, helm::Helm, interceptor_binary, records::Greeting, try_wait_until};

use super::pods::PORT;
use crate::tell::{Tell, typed};

/// Of the release.
pub(super) const NAMESPACE: &str = "istio-system";

pub(super) fn kubectl(tell: &Tell, cluster: &Cluster, words: &[&str]) -> anyhow::Result<String> {
    let run = Run::of(cluster.kubectl(words));
    tell.command("node, root", &typed(&[&["kubectl"], words].concat()), &run.output())?;
    anyhow::ensure!(run.code == Some(0), "this failed: {run}");
    Ok(run.stdout)
}

/// On the node, where network namespaces have their names.
pub(super) fn interceptor(tell: &Tell, cluster: &Cluster, words: &[&str]) -> anyhow::Result<String> {
    let mut command = cluster.node(interceptor_binary());
    command.args(words);
    let run = Run::of(command);
    tell.command("node, root", &typed(&[&["interceptor"], words].concat()), &run.output())?;
    anyhow::ensure!(run.code == Some(0), "this failed: {run}");
    Ok(run.stdout)
}

/// Changes the release, by Helm's library.
pub(super) fn helm(tell: &Tell, cluster: &Cluster, verb: &str, values: &Value, line: &str) -> anyhow::Result<()> {
    let chart = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/chart");
    Helm::new(&chart, "interceptor", NAMESPACE).change(cluster, verb, values);
    tell.command(
        "node, root",
        &format!("helm {verb} interceptor {line}--namespace {NAMESPACE}"),
        "",
    )
}

pub(super) fn wait_for_the_agent(tell: &mut Tell, cluster: &Cluster) -> anyhow::Result<()> {
    let words = ["--namespace", NAMESPACE, "rollout", "status", "daemonset/interceptor-agent"];
    kubectl(tell, cluster, &words)?;
    let agent =
        Run::of(cluster.kubectl(&["--namespace", NAMESPACE, "get", "daemonset/interceptor-agent", "-o", "json"]));
    let agent: Value = agent.json();
    tell.holds("the agent is ready on the node", &agent["status"]["numberReady"], &1.into())
}

/// What the API calls the pod, for commands: its address, and its UID.
pub(super) fn look(cluster: &Cluster, name: &str) -> anyhow::Result<(SocketAddr, String)> {
    let pod = cluster.get(&format!("pod/{name}"));
    let address = pod["status"]["podIP"].as_str().context("the pod has an address")?;
    let uid = pod["metadata"]["uid"].as_str().context("the pod has a UID")?;
    Ok((SocketAddr::new(address.parse()?, PORT), uid.to_owned()))
}

/// One page for the pod `client`, through both sidecars: what each of the three saw.
pub(super) fn page(tell: &mut Tell, cluster: &Cluster, web: SocketAddr) -> anyhow::Result<()> {
    let (client, _uid) = look(cluster, "client")?;
    let seen = |pod: &str, direction: &str| lines(cluster, pod, direction, client);
    let before = (seen("client", "outbound").len(), seen("web", "inbound").len());
    let url = format!("http://{web}/page");
    let text = kubectl(
        tell,
        cluster,
        &["exec", "client", "--container", "app", "--", "wget", "-q", "-O", "-", &url],
    )?;
    let greeting = Greeting::from_line(text.trim());
    tell.holds("the application of the pod web answers", greeting.name.as_str(), "web")?;
    tell.holds(
        "it was asked by the sidecar of its pod, from 127.0.0.6",
        &greeting.peer.ip().to_string(),
        &"127.0.0.6".to_owned(),
    )?;
    let next = |pod: &str, direction: &str, before: usize| {
        try_wait_until("Envoy logs the request", || seen(pod, direction).len() > before).map_err(anyhow::Error::msg)?;
        Ok::<_, anyhow::Error>(seen(pod, direction).remove(before))
    };
    let outbound = next("client", "outbound", before.0)?;
    let inbound = next("web", "inbound", before.1)?;
    for (line, whose) in [(outbound, "the client's"), (inbound, "the web pod's")] {
        tell.holds(
            format!("{whose} Envoy took it, and knows the original destination, {web}"),
            &line.original_destination,
            &Some(web.to_string()),
        )?;
    }
    Ok(())
}

/// What a pod's Envoy has logged of this client.
fn lines(cluster: &Cluster, pod: &str, direction: &str, client: SocketAddr) -> Vec<Line> {
    let log = cluster.container_log(pod, "istio-proxy");
    let lines = log.lines().filter(|line| line.starts_with('{'));
    let lines = lines.filter_map(|line| serde_json::from_str::<Line>(line).ok());
    let is_clients = |line: &Line| {
        let peer = line.peer.as_deref().and_then(|peer| peer.parse::<SocketAddr>().ok());
        line.direction == direction && peer.is_some_and(|peer| peer.ip() == client.ip())
    };
    lines.filter(is_clients).collect()
}
