// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The CNI plugin and the node agent, with pods that have no init container and no capability of ours.

use serde_json::{Value, json};
use testkit::{
    Process, Run,
    cluster::{ChainedPlugin, Cluster},
    profile_directory, wait_until,
};

use crate::{
    init_container::{ask_through_both_sidecars, expect_enrolled, status},
    pods::{Running, import_image, injected},
    sandbox::kill_sandbox,
};

/// The plugin, as an installer chains it.
pub(crate) fn plugin() -> ChainedPlugin {
    ChainedPlugin {
        program: profile_directory().join("interceptor-cni"),
        entry: json!({
            "type": "interceptor-cni",
            "plugin_log_level": "debug",
            "capabilities": { "io.kubernetes.cri.pod-annotations": true, "cgroupPath": true },
        }),
    }
}

pub(crate) fn pods_are_enrolled_before_their_first_process_and_again_with_the_next_sandbox(cluster: &Cluster) {
    import_image(cluster);
    let _agent = agent(cluster);
    cluster.apply(&[by_agent("client"), by_agent("web")]);
    cluster.wait_for("condition=Ready", &["pod/client", "pod/web"]);
    let [client, web] = ["client", "web"].map(|name| Running::look(cluster, name));
    for pod in [&client, &web] {
        let log = cluster.container_log(&pod.name, "first");
        assert!(
            log.contains("Connection refused"),
            "the first process was not intercepted: {log:?}"
        );
    }
    ask_through_both_sidecars(cluster, &client, &web);
    expect_enrolled(cluster, &[&client, &web]);

    kill_sandbox(cluster, &web);
    wait_until("the API knows the new sandbox", || {
        Running::look(cluster, "web").address != web.address
    });
    cluster.wait_for("condition=Ready", &["pod/web"]);
    let again = Running::look(cluster, "web");
    ask_through_both_sidecars(cluster, &client, &again);
    expect_enrolled(cluster, &[&client, &again]);

    cluster.delete(&["pod/client", "pod/web"]);
    wait_until("the agent ends what was in force for pods that are gone", || {
        status(cluster).is_empty()
    });
}

/// What is in force stays in force; what is not injected needs nobody.
pub(crate) fn without_the_agent_pods_run_on_and_others_start(cluster: &Cluster) {
    import_image(cluster);
    let running = agent(cluster);
    cluster.apply(&[by_agent("client"), by_agent("web")]);
    cluster.wait_for("condition=Ready", &["pod/client", "pod/web"]);
    running.kill();
    let [client, web] = ["client", "web"].map(|name| Running::look(cluster, name));
    ask_through_both_sidecars(cluster, &client, &web);
    cluster.apply(&[plain("other")]);
    cluster.wait_for("condition=Ready", &["pod/other"]);

    // An injected pod does not start, until the agent is back.
    cluster.apply(&[by_agent("late")]);
    wait_until("its sandbox has failed", || {
        let events =
            cluster.ask(&["get", "events", "--field-selector", "involvedObject.name=late", "--output", "json"]);
        events.contains("FailedCreatePodSandBox")
    });
    let _agent = agent(cluster);
    cluster.wait_for("condition=Ready", &["pod/late"]);
    cluster.delete(&["pod/client", "pod/web", "pod/late"]);
    wait_until("the agent ends what was in force for pods that are gone", || {
        status(cluster).is_empty()
    });
}

/// Runs on the node; ready when this returns.
fn agent(cluster: &Cluster) -> Process {
    let mut command = cluster.node(profile_directory().join("interceptor-agent"));
    command.args(["--node-name", testkit::cluster::NODE_NAME, "--log-level", "debug", "--kubeconfig"]);
    command.arg(cluster.kubeconfig());
    let agent = Process::spawn("the node agent", &mut command);
    wait_until("the node agent is ready", || {
        let mut ready = cluster.node("curl");
        ready.args(["--silent", "--fail", "http://127.0.0.1:8000/readyz"]);
        Run::of(ready).code == Some(0)
    });
    agent
}

/// As an injector makes it where a plugin sets interception up. The first container asks for what it may not have
/// before there is a sidecar.
pub(crate) fn by_agent(name: &str) -> Value {
    let mut pod = injected(name);
    pod["metadata"]["annotations"] = json!({ "sidecar.istio.io/status": "{}" });
    pod["spec"]["volumes"] = json!([]);
    pod["spec"]["initContainers"] = json!([{
        "name": "first",
        "image": testkit::cluster::BUSYBOX_IMAGE,
        "imagePullPolicy": "Never",
        "command": ["sh", "-c", format!("wget -q -O - http://{}:6443/ 2>&1; true", testkit::cluster::NODE_ADDRESS)],
    }]);
    pod
}

fn plain(name: &str) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": { "name": name, "namespace": "default" },
        "spec": {
            "terminationGracePeriodSeconds": 1,
            "containers": [{
                "name": "app",
                "image": testkit::cluster::BUSYBOX_IMAGE,
                "imagePullPolicy": "Never",
                "command": ["sleep", "100000"],
            }],
        },
    })
}
