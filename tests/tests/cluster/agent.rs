// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The node agent as a program of the node, which puts the CNI plugin there, and pods for it.

use std::fs;

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::{Value, json};
use testkit::{
    Finished, Process, Run,
    cluster::{BUSYBOX_IMAGE, Cluster, NODE_ADDRESS, NODE_NAME},
    profile_directory, wait_until,
};

use crate::{
    init_container::status,
    pods::{IMAGE, injected},
};

/// The list of the node's network, to which the agent adds an entry.
pub(crate) const LIST: &str = "/etc/cni/net.d/10-bridge.conflist";
/// Where the agent puts the program of the plugin.
pub(crate) const PROGRAM: &str = "/opt/cni/bin/interceptor-cni";
/// Where plugin and agent meet.
pub(crate) const SOCKET: &str = "/run/interceptor/cni.sock";

/// Where the node has lists and programs of plugins.
pub(crate) const PLACE: [&str; 2] = ["--mounted-cni-net-dir=/etc/cni/net.d", "--mounted-cni-bin-dir=/opt/cni/bin"];

/// Runs on the node, and has put the plugin there; ready when this returns.
pub(crate) fn start(cluster: &Cluster, flags: &[&str]) -> Process {
    let agent = spawn(cluster, &[&["--install=true"], &PLACE[..], flags].concat());
    wait_until("the node agent is ready", || obstacles(cluster).is_empty());
    agent
}

/// Runs on the node; nobody knows how it is.
pub(crate) fn spawn(cluster: &Cluster, flags: &[&str]) -> Process {
    let mut command = cluster.node(profile_directory().join("interceptor-agent"));
    command.args(arguments(cluster)).args(flags);
    Process::spawn("the node agent", &mut command)
}

/// The same with these capabilities, and no others.
pub(crate) fn spawn_with(cluster: &Cluster, capabilities: &[&str], flags: &[&str]) -> Process {
    let names: Vec<_> = capabilities.iter().map(|name| format!("+{}", name.to_lowercase())).collect();
    let set = format!("-all,{}", names.join(","));
    let mut command = cluster.node("setpriv");
    command.args(["--bounding-set", &set, "--inh-caps", &set, "--no-new-privs", "--"]);
    command.arg(profile_directory().join("interceptor-agent"));
    command.args(arguments(cluster)).args(flags);
    Process::spawn("the node agent", &mut command)
}

fn arguments(cluster: &Cluster) -> [String; 3] {
    [
        format!("--node-name={NODE_NAME}"),
        format!("--kubeconfig={}", cluster.kubeconfig().display()),
        "--log-level=debug".to_owned(),
    ]
}

/// What curl says in place of an answer's code when it cannot connect.
const NOBODY: &str = "000";

/// Why the agent is not ready; nothing if it is.
pub(crate) fn obstacles(cluster: &Cluster) -> String {
    let mut ask = cluster.node("curl");
    ask.args(["--silent", "--write-out", "%{http_code}", "http://127.0.0.1:8000/readyz"]);
    let answer = Run::of(ask).stdout;
    let (why, code) = answer.split_at(answer.len().saturating_sub(3));
    if code == "200" { String::new() } else { format!("{why}{code}") }
}

/// SIGKILL. Returns when nothing answers in its place any more.
pub(crate) fn end(cluster: &Cluster, agent: Process) {
    agent.kill();
    wait_until("the node agent has ended", || obstacles(cluster) == NOBODY);
}

/// SIGTERM, for the agent itself: what entered the node for it waits for its end.
pub(crate) fn stop(agent: Process) -> Finished {
    let entered = agent.pid();
    let children = fs::read_to_string(format!("/proc/{entered}/task/{entered}/children")).expect("it runs");
    let pid = children.trim().parse().expect("one child");
    kill(Pid::from_raw(pid), Signal::SIGTERM).expect("the agent runs");
    agent.finish()
}

/// Takes the plugin off the node, and ends all interception. No agent runs.
pub(crate) fn purge(cluster: &Cluster) {
    let mut uninstall = cluster.node(profile_directory().join("interceptor-agent"));
    uninstall.args(["uninstall", "--purge"]).args(PLACE);
    Run::of(uninstall).expect_success();
}

pub(crate) fn wait_until_none_is_enrolled(cluster: &Cluster) {
    wait_until("the agent ends what was in force for pods that are gone", || {
        status(cluster).is_empty()
    });
}

/// The types of the plugins in the node's list.
pub(crate) fn plugins(cluster: &Cluster) -> Vec<String> {
    let list: Value = serde_json::from_str(&cluster.read(LIST)).expect("JSON");
    let plugins = list["plugins"].as_array().expect("plugins");
    let name = |plugin: &Value| plugin["type"].as_str().expect("a type").to_owned();
    plugins.iter().map(name).collect()
}

/// As an injector makes it where a plugin sets interception up. The first container asks for what it may not have
/// before there is a sidecar.
pub(crate) fn by_agent(name: &str) -> Value {
    let mut pod = injected(name);
    pod["metadata"]["annotations"] = json!({ "sidecar.istio.io/status": "{}" });
    pod["spec"]["volumes"] = json!([]);
    pod["spec"]["initContainers"] = json!([{
        "name": "first",
        "image": BUSYBOX_IMAGE,
        "imagePullPolicy": "Never",
        "command": ["sh", "-c", format!("wget -q -O - http://{NODE_ADDRESS}:6443/ 2>&1; true")],
    }]);
    pod
}

/// The same with the container that fails where nothing is redirected.
pub(crate) fn validated(name: &str) -> Value {
    let mut pod = by_agent(name);
    let mut words = vec!["/bin/interceptor", "istio-iptables", "-p", "15001", "-z", "15006", "-u", "1337"];
    words.extend(["-m", "REDIRECT", "-i", "*", "-x", "", "-b", "*", "-d", "15090,15021,15020"]);
    words.extend(["--run-validation", "--skip-rule-apply"]);
    pod["spec"]["initContainers"] = json!([{
        "name": "istio-validation",
        "image": IMAGE,
        "imagePullPolicy": "Never",
        "command": words,
        "securityContext": {
            "runAsUser": 1337,
            "runAsGroup": 1337,
            "readOnlyRootFilesystem": true,
            "allowPrivilegeEscalation": false,
            "capabilities": { "drop": ["ALL"] },
        },
    }]);
    pod
}

/// A pod with one container that does nothing, with a sidecar's name and annotation or with neither.
pub(crate) fn idle(name: &str, is_injected: bool) -> Value {
    let annotations = if is_injected { json!({ "sidecar.istio.io/status": "{}" }) } else { json!({}) };
    json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": { "name": name, "namespace": "default", "annotations": annotations },
        "spec": {
            "terminationGracePeriodSeconds": 1,
            "containers": [{
                "name": if is_injected { "istio-proxy" } else { "app" },
                "image": BUSYBOX_IMAGE,
                "imagePullPolicy": "Never",
                "command": ["sleep", "100000"],
            }],
        },
    })
}
