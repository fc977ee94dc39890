// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Pods with a sidecar that do not come as others do: without an API server, in the network of the node, or at the
//! second try.

use std::fs;

use testkit::{
    Run,
    cluster::{Cluster, NODE_NAME, STATIC_PODS},
    wait_until,
};

use crate::{
    agent::{end, idle, purge, start, wait_until_none_is_enrolled},
    init_container::{expect_enrolled, status},
    pods::Running,
};

/// kubelet starts it by itself, and tells the API server of it under another UID.
pub(crate) fn a_static_pod_is_enrolled(cluster: &Cluster) {
    let agent = start(cluster, &[]);
    let manifest = cluster.work().join("static.json");
    fs::write(&manifest, idle("static", true).to_string()).expect("write a manifest");
    let path = format!("{STATIC_PODS}/static.json");
    cluster.put(&manifest, &path, "644");
    let name = format!("static-{NODE_NAME}");
    let exists = || Run::of(cluster.kubectl(&["get", "pod", &name])).code == Some(0);
    wait_until("kubelet tells of the pod", exists);
    cluster.wait_for("condition=Ready", &[&format!("pod/{name}")]);
    let pods = status(cluster);
    let [pod] = pods.as_slice() else { panic!("{pods:#?}") };
    let hash = "{.metadata.annotations['kubernetes\\.io/config\\.hash']}";
    let hash = cluster.ask(&["get", "pod", &name, "--output", &format!("jsonpath={hash}")]);
    let cgroup = pod["cgroup"].as_str().expect("a cgroup");
    assert!(cgroup.ends_with(&format!("/pod{hash}")), "{hash}: {pod}");
    assert_eq!(pod["pod"], format!("default/{name}"), "{pod}");
    cluster.succeed(&["rm", &path]);
    wait_until("kubelet ends the pod", || !exists());
    wait_until_none_is_enrolled(cluster);
    end(cluster, agent);
    purge(cluster);
}

/// No plugin is asked for it, and its network is not its own.
pub(crate) fn a_pod_in_the_network_of_the_node_is_left_alone(cluster: &Cluster) {
    let agent = start(cluster, &["--repair-repair-pods=true"]);
    let mut host = idle("node-network", true);
    host["spec"]["hostNetwork"] = true.into();
    cluster.apply(&[host, idle("web", true)]);
    cluster.wait_for("condition=Ready", &["pod/node-network", "pod/web"]);
    expect_enrolled(cluster, &[&Running::look(cluster, "web")]);
    cluster.delete(&["pod/node-network", "pod/web"]);
    wait_until_none_is_enrolled(cluster);
    end(cluster, agent);
    purge(cluster);
}

/// The runtime ends a sandbox for which the agent was not asked, and begins another one in the same cgroup.
pub(crate) fn a_pod_whose_first_add_fails_is_enrolled_once(cluster: &Cluster) {
    let agent = start(cluster, &[]);
    cluster.fail_next_add();
    cluster.apply(&[idle("second-try", true)]);
    cluster.wait_for("condition=Ready", &["pod/second-try"]);
    let adds = cluster
        .cni_calls("second-try")
        .into_iter()
        .filter(|call| call.command == "ADD")
        .count();
    assert_eq!(adds, 2, "{:#?}", cluster.cni_calls("second-try"));
    expect_enrolled(cluster, &[&Running::look(cluster, "second-try")]);
    cluster.delete(&["pod/second-try"]);
    wait_until_none_is_enrolled(cluster);
    end(cluster, agent);
    purge(cluster);
}
