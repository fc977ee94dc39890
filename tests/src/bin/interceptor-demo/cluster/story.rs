// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The acts.

use std::path::Path;

use anyhow::Context as _;
use serde_json::{Value, json};
use testkit::{Run, cluster::Cluster, try_wait_until};

use super::{
    ask::{NAMESPACE, helm, interceptor, kubectl, look, page, wait_for_the_agent},
    node::{self, OnNode, enrolled, metric, plugins},
    pods::{self, pod},
};
use crate::{rules, tell::Tell};

/// What counts connections to what a sidecar is to take.
const REDIRECTED: &str = "interceptor_connections_total{reason=\"outbound_cidr_included\"} ";

pub(super) fn tell(tell: &mut Tell, cluster: &Cluster) -> anyhow::Result<()> {
    kubectl(tell, cluster, &["get", "nodes"])?;
    let before = node::look(cluster)?;
    install(tell, cluster)?;
    start_pods(tell, cluster)?;
    request(tell, cluster)?;
    lose_the_agent(tell, cluster)?;
    restart_a_pod(tell, cluster)?;
    uninstall(tell, cluster, &before)
}

fn install(tell: &mut Tell, cluster: &Cluster) -> anyhow::Result<()> {
    tell.step("The chart is installed")?;
    let others = plugins(cluster)?;
    helm(tell, cluster, "install", &json!({}), "deploy/chart --create-namespace ")?;
    wait_for_the_agent(tell, cluster)?;
    let with_ours: Vec<_> = others.into_iter().chain(["interceptor-cni".to_owned()]).collect();
    tell.holds(
        "its plugin is the last in the list of the node's network",
        &plugins(cluster)?,
        &with_ours,
    )
}

fn start_pods(tell: &mut Tell, cluster: &Cluster) -> anyhow::Result<()> {
    tell.step("Two pods, as Istio injects them for its CNI plugin, with real Envoys")?;
    cluster.apply(&[pods::configuration(), pod("client"), pod("web")]);
    kubectl(
        tell,
        cluster,
        &["wait", "--for=condition=Ready", "pod/client", "pod/web", "--timeout=50s"],
    )?;
    tell.holds(
        "both are enrolled, by their names",
        &enrolled(cluster),
        &named(&["client", "web"]),
    )?;
    for name in ["client", "web"] {
        let object = cluster.get(&format!("pod/{name}"));
        let code = object.pointer("/status/initContainerStatuses/0/state/terminated/exitCode");
        tell.holds(
            format!("the container istio-validation of the pod {name} finds that everything is redirected"),
            &code.and_then(Value::as_i64),
            &Some(0),
        )?;
        tell.holds(
            format!("no container of the pod {name} asks for a capability, or for a directory of the node"),
            &asks_for_more(&object["spec"]),
            &false,
        )?;
        let (_address, uid) = look(cluster, name)?;
        let sandbox = cluster.sandbox(&uid).context("the pod has a sandbox")?;
        rules::none_by(tell, name, |program: &Path| {
            let mut enter = cluster.node("nsenter");
            enter.args(["--net", "--target", &sandbox.pid.to_string(), "--"]).arg(program);
            enter
        })?;
    }
    Ok(())
}

fn asks_for_more(spec: &Value) -> bool {
    let lists = ["initContainers", "containers"]
        .iter()
        .filter_map(|list| spec[*list].as_array());
    let adds = |container: &Value| container.pointer("/securityContext/capabilities/add").is_some();
    let mut volumes = spec["volumes"].as_array().into_iter().flatten();
    lists.flatten().any(adds) || volumes.any(|volume| volume.get("hostPath").is_some())
}

fn request(tell: &mut Tell, cluster: &Cluster) -> anyhow::Result<()> {
    tell.step("A page for the pod client, through both sidecars")?;
    let (web, _uid) = look(cluster, "web")?;
    let counted = metric(cluster, REDIRECTED).unwrap_or_default();
    page(tell, cluster, web)?;
    let text = interceptor(tell, cluster, &["explain", "--pod", "default/client", &web.to_string()])?;
    tell.holds(
        "the reason is outbound_cidr_included",
        &text.trim_end().ends_with("[outbound_cidr_included]"),
        &true,
    )?;
    tell.holds(
        format!("the agent's metric {} has counted this one", REDIRECTED.trim_end()),
        &metric(cluster, REDIRECTED),
        &Some(counted + 1),
    )
}

/// By an upgrade that goes wrong, and comes back by a rollback.
fn lose_the_agent(tell: &mut Tell, cluster: &Cluster) -> anyhow::Result<()> {
    tell.step("The agent is killed, and then upgraded to an image that does not exist")?;
    let (id, starts) = agents_container(cluster).context("the agent's container runs")?;
    let process = cluster.process_of(&id).context("the agent's container has a process")?;
    cluster.succeed(&["kill", "-s", "KILL", &process.to_string()]);
    tell.command("node, root", "kill -s KILL AGENT", "")?;
    let (web, _uid) = look(cluster, "web")?;
    page(tell, cluster, web)?;
    let now = || agents_container(cluster).map_or(starts, |(_id, starts)| starts);
    wait_until("kubelet starts it again", || now() > starts)?;
    tell.holds("kubelet has started it again", &now(), &(starts + 1))?;

    let missing = json!({ "image": "localhost/interceptor:missing", "pullPolicy": "Never" });
    let line = "deploy/chart --set image=localhost/interceptor:missing --set pullPolicy=Never ";
    helm(tell, cluster, "upgrade", &missing, line)?;
    wait_until("the agent has ended", || {
        let asked = Run::of({
            let mut ask = cluster.node("curl");
            ask.args(["--silent", "http://127.0.0.1:8000/healthz"]);
            ask
        });
        asked.code != Some(0)
    })?;
    page(tell, cluster, web)?;
    cluster.apply(&[pod("third")]);
    let selector = "involvedObject.name=third,reason=FailedCreatePodSandBox";
    let events = ["get", "events", "--field-selector", selector, "--output", "jsonpath={.items[0].message}"];
    wait_until("the new pod waits", || !Run::of(cluster.kubectl(&events)).stdout.is_empty())?;
    let why = kubectl(tell, cluster, &events)?;
    tell.holds(
        "a new pod waits for the agent, and its event says so",
        &why.contains("agent"),
        &true,
    )?;
    let phase = cluster.get("pod/third")["status"]["phase"].clone();
    tell.holds("it has not started", &phase, &"Pending".into())?;

    helm(tell, cluster, "rollback", &json!({}), "")?;
    wait_for_the_agent(tell, cluster)?;
    kubectl(tell, cluster, &["wait", "--for=condition=Ready", "pod/third", "--timeout=50s"])?;
    tell.holds(
        "the pod has started, and is enrolled",
        &enrolled(cluster),
        &named(&["client", "third", "web"]),
    )
}

/// Its name, and how often it was started again.
fn agents_container(cluster: &Cluster) -> Option<(String, i64)> {
    let pods = cluster.ask(&["--namespace", NAMESPACE, "get", "pods", "--output", "json"]);
    let pods: Value = serde_json::from_str(&pods).ok()?;
    let status = pods.pointer("/items/0/status/containerStatuses/0")?;
    Some((status["containerID"].as_str()?.to_owned(), status["restartCount"].as_i64()?))
}

fn restart_a_pod(tell: &mut Tell, cluster: &Cluster) -> anyhow::Result<()> {
    tell.step("The sandbox of the pod web is killed")?;
    let (before, uid) = look(cluster, "web")?;
    let sandbox = cluster.sandbox(&uid).context("the pod has a sandbox")?;
    cluster.succeed(&["kill", "-s", "KILL", &sandbox.pid.to_string()]);
    tell.command("node, root", "kill -s KILL SANDBOX", "")?;
    wait_until("the pod has another sandbox, with another address", || {
        let address = Run::of(cluster.kubectl(&["get", "pod/web", "--output", "jsonpath={.status.podIP}"])).stdout;
        !address.is_empty() && address != before.ip().to_string()
    })?;
    kubectl(tell, cluster, &["wait", "--for=condition=Ready", "pod/web", "--timeout=50s"])?;
    let (web, again) = look(cluster, "web")?;
    tell.holds("it is the same pod", &again, &uid)?;
    page(tell, cluster, web)
}

fn uninstall(tell: &mut Tell, cluster: &Cluster, before: &OnNode) -> anyhow::Result<()> {
    tell.step("The pods are deleted, and the chart is uninstalled")?;
    kubectl(tell, cluster, &["delete", "pod/client", "pod/web", "pod/third"])?;
    wait_until("the agent ends what was in force for them", || enrolled(cluster).is_empty())?;
    tell.holds("nothing is enrolled", &enrolled(cluster), &Vec::new())?;
    helm(tell, cluster, "uninstall", &json!({}), "")?;
    wait_until("the agent's pod is gone", || {
        cluster
            .ask(&["--namespace", NAMESPACE, "get", "pods", "--output", "name"])
            .is_empty()
    })?;
    tell.holds(
        "the node has the plugins, the list and the pins that it had before, and no others",
        &node::look(cluster)?,
        before,
    )?;
    let left = cluster.succeed(&["find", "/run/interceptor", "-mindepth", "1", "-printf", "%f "]);
    let mut left: Vec<_> = left.split_whitespace().collect();
    left.sort_unstable();
    tell.holds(
        "in /run/interceptor are the plugin's log, and three empty directories",
        &left,
        &vec!["interceptor-cni.log", "pods", "rules", "unprotected"],
    )
}

fn named(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| format!("default/{name}")).collect()
}

fn wait_until(what: &str, condition: impl FnMut() -> bool) -> anyhow::Result<()> {
    try_wait_until(what, condition).map_err(anyhow::Error::msg)
}
