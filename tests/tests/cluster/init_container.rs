// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The program as `istio-init`, with three capabilities, in pods that kubelet starts.

use std::net::SocketAddr;

use serde_json::Value;
use testkit::{
    Run,
    cluster::Cluster,
    interceptor_binary,
    records::{Connection, Greeting, Listener},
    wait_until,
};

use crate::{
    pods::{PORT, Running, import_image, injected},
    sandbox::kill_sandbox,
};

pub(crate) fn istio_init_enrolls_pods_and_their_next_sandboxes(cluster: &Cluster) {
    import_image(cluster);
    cluster.apply(&[injected("client"), injected("web")]);
    cluster.wait_for("condition=Ready", &["pod/client", "pod/web"]);
    let [client, web] = ["client", "web"].map(|name| Running::look(cluster, name));
    ask_through_both_sidecars(cluster, &client, &web);
    expect_enrolled(cluster, &[&client, &web]);

    // kubelet makes a new sandbox, with a new network namespace, in the same cgroup.
    let before = kill_sandbox(cluster, &web);
    wait_until("the pod has another sandbox", || {
        cluster.sandbox(&web.uid).is_some_and(|sandbox| sandbox.id != before.id)
    });
    // Until kubelet has looked, the API tells of the old one.
    wait_until("the API knows the new sandbox", || {
        Running::look(cluster, "web").address != web.address
    });
    cluster.wait_for("condition=Ready", &["pod/web"]);
    let again = Running::look(cluster, "web");
    assert_eq!(again.uid, web.uid);
    ask_through_both_sidecars(cluster, &client, &again);
    expect_enrolled(cluster, &[&client, &again]);
    cluster.delete(&["pod/client", "pod/web"]);
}

/// There is no agent to notice that a pod has gone.
pub(crate) fn a_deleted_pod_is_collected_by_the_next_run(cluster: &Cluster) {
    import_image(cluster);
    cluster.apply(&[injected("first")]);
    cluster.wait_for("condition=Ready", &["pod/first"]);
    cluster.delete(&["pod/first"]);
    wait_until(
        "the network namespace has gone",
        || matches!(&status(cluster)[..], [pod] if pod["alive"] == false),
    );
    let mut told = cluster.node(interceptor_binary());
    told.arg("status");
    let told = Run::of(told);
    assert!(told.stdout.contains("(gone; the next run removes the pod)"), "{told}");
    cluster.apply(&[injected("second")]);
    cluster.wait_for("condition=Ready", &["pod/second"]);
    let second = Running::look(cluster, "second");
    expect_enrolled(cluster, &[&second]);
    cluster.delete(&["pod/second"]);
    let mut clean = cluster.node(interceptor_binary());
    clean.args(["clean", "--all"]);
    Run::of(clean).expect_success();
    assert_eq!(status(cluster), [] as [Value; 0]);
}

/// One request from the application of one pod to that of the other. Both sidecars are told where it was going.
pub(crate) fn ask_through_both_sidecars(cluster: &Cluster, client: &Running, web: &Running) {
    let to = SocketAddr::new(web.address, PORT);
    let (sent, received) = (
        client.connections(cluster).len(),
        web.connections_from(cluster, client.address).len(),
    );
    let run = cluster.exec(&client.name, "app", &["wget", "-q", "-O", "-", &format!("http://{to}/")]);
    run.expect_success();
    let greeting = Greeting::from_line(run.stdout.trim());
    assert_eq!((greeting.name.as_str(), greeting.uid), (web.name.as_str(), 1000));
    assert_eq!(greeting.peer.ip().to_string(), "127.0.0.6", "the sidecar asks the application");

    let outbound = client.connections(cluster).split_off(sent);
    let outbound: Vec<_> = outbound
        .into_iter()
        .filter(|connection| connection.listener == Listener::Outbound)
        .collect();
    expect_one(&outbound, client, to);
    let inbound = web.connections_from(cluster, client.address).split_off(received);
    expect_one(&inbound, web, to);
}

fn expect_one(connections: &[Connection], pod: &Running, to: SocketAddr) {
    let [connection] = connections else {
        panic!("the sidecar of {} has seen {connections:#?}", pod.name)
    };
    assert_eq!(connection.original_destination, Some(to), "{connection:?}");
    assert_eq!(connection.refused, None, "{connection:?}");
}

/// `interceptor status` on the node: exactly these pods, each by its cgroup.
pub(crate) fn expect_enrolled(cluster: &Cluster, pods: &[&Running]) {
    let mut expected: Vec<_> = pods.iter().map(|pod| pod.cgroup(cluster)).collect();
    let text = |pod: &Value| pod["cgroup"].as_str().unwrap_or_else(|| panic!("no cgroup: {pod}")).to_owned();
    let mut enrolled: Vec<_> = status(cluster).iter().map(text).collect();
    expected.sort();
    enrolled.sort();
    assert_eq!(enrolled, expected);
}

pub(crate) fn status(cluster: &Cluster) -> Vec<Value> {
    let mut status = cluster.node(interceptor_binary());
    status.args(["status", "--output", "json"]);
    Run::of(status).json()
}
