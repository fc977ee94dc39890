// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Pods that have no init container and no capability of ours: their sandboxes, and the agent, come and go.

use serde_json::json;
use testkit::{cluster::Cluster, wait_until};

use crate::{
    agent::{by_agent, end, idle, purge, start, wait_until_none_is_enrolled},
    init_container::{ask_through_both_sidecars, expect_enrolled},
    pods::{Running, import_image},
    sandbox::kill_sandbox,
};

pub(crate) fn pods_are_enrolled_before_their_first_process_and_again_with_the_next_sandbox(cluster: &Cluster) {
    import_image(cluster);
    let agent = start(cluster, &[]);
    let mut client = by_agent("client");
    let containers = client["spec"]["initContainers"].as_array_mut().expect("containers");
    let mut passing = containers[0].clone();
    passing["name"] = "of-the-sidecars-user".into();
    passing["securityContext"] = json!({ "runAsUser": 1337 });
    containers.push(passing);
    cluster.apply(&[client, by_agent("web")]);
    cluster.wait_for("condition=Ready", &["pod/client", "pod/web"]);
    let [client, web] = ["client", "web"].map(|name| Running::look(cluster, name));
    let log = cluster.container_log("client", "of-the-sidecars-user");
    assert!(log.contains("400 Bad Request"), "this user is not intercepted: {log:?}");
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
    wait_until_none_is_enrolled(cluster);
    end(cluster, agent);
    purge(cluster);
}

/// What is in force stays in force; what is not injected needs nobody.
pub(crate) fn without_the_agent_pods_run_on_and_others_start(cluster: &Cluster) {
    import_image(cluster);
    let agent = start(cluster, &[]);
    cluster.apply(&[by_agent("client"), by_agent("web")]);
    cluster.wait_for("condition=Ready", &["pod/client", "pod/web"]);
    end(cluster, agent);
    let [client, web] = ["client", "web"].map(|name| Running::look(cluster, name));
    ask_through_both_sidecars(cluster, &client, &web);
    cluster.apply(&[idle("other", false)]);
    cluster.wait_for("condition=Ready", &["pod/other"]);

    // An injected pod does not start, until the agent is back.
    cluster.apply(&[by_agent("late")]);
    wait_until_its_sandbox_failed(cluster, "late");
    let agent = start(cluster, &[]);
    cluster.wait_for("condition=Ready", &["pod/late"]);
    cluster.delete(&["pod/client", "pod/web", "pod/late", "pod/other"]);
    wait_until_none_is_enrolled(cluster);
    end(cluster, agent);
    purge(cluster);
}

pub(crate) fn wait_until_its_sandbox_failed(cluster: &Cluster, pod: &str) {
    wait_until("its sandbox has failed", || !failures(cluster, pod).is_empty());
}

/// What kubelet tells of sandboxes of a pod that could not be made.
pub(crate) fn failures(cluster: &Cluster, pod: &str) -> Vec<String> {
    let selector = format!("involvedObject.name={pod},reason=FailedCreatePodSandBox");
    let messages = "jsonpath={range .items[*]}{.message}{\"\\n\"}{end}";
    let events = cluster.ask(&["get", "events", "--field-selector", &selector, "--output", messages]);
    events.lines().map(str::to_owned).collect()
}
