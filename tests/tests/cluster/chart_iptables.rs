// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The image with iptables, for nodes whose kernel lacks something. This one lacks nothing, so a pod asks for rules by
//! its annotation.

use serde_json::{Value, json};
use testkit::cluster::Cluster;

use crate::{
    agent::{by_agent, wait_until_none_is_enrolled},
    chart::{AGENT, NAMESPACE, archive, helm, node, uninstall, wait_for_rollout},
    init_container::{ask_through_both_sidecars, status},
    pods::{Running, import_image},
};

pub(crate) fn with_iptables_in_its_image_the_agent_writes_rules(cluster: &Cluster) {
    import_image(cluster);
    cluster.import_archive(&archive("-iptables"));
    let (before, helm) = (node(cluster), helm());
    // The agent does not start without an iptables.
    helm.change(cluster, "install", &json!({ "onUnsupported": "iptables" }));
    wait_for_rollout(cluster, AGENT);

    let mut web = by_agent("web");
    web["metadata"]["annotations"]["interceptor.dev/data-path"] = "iptables".into();
    cluster.apply(&[by_agent("client"), web]);
    cluster.wait_for("condition=Ready", &["pod/client", "pod/web"]);
    let [client, web] = ["client", "web"].map(|name| Running::look(cluster, name));
    ask_through_both_sidecars(cluster, &client, &web);
    assert_eq!(data_path(cluster, "client"), "ebpf");
    assert_eq!(data_path(cluster, "web"), "iptables");

    cluster.delete(&["pod/client", "pod/web"]);
    wait_until_none_is_enrolled(cluster);
    uninstall(cluster, &helm);
    assert_eq!(node(cluster), before);
    cluster.ask(&["delete", "namespace", NAMESPACE, "--wait"]);
}

fn data_path(cluster: &Cluster, name: &str) -> Value {
    let pods = status(cluster);
    let named = pods.iter().find(|pod| pod["pod"] == format!("default/{name}"));
    named.unwrap_or_else(|| panic!("no {name}: {pods:#?}"))["data_path"].clone()
}
