// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The commands that look at a node, in a privileged pod of the image that has iptables.

use serde_json::json;
use testkit::{Run, cluster::Cluster};

use crate::chart::archive;

/// As `cargo xtask image --with-iptables` and the chart call it.
const IMAGE: &str = concat!("localhost/interceptor:", env!("CARGO_PKG_VERSION"), "-iptables");

pub(crate) fn check_and_verify_run_in_a_pod_of_the_image_with_iptables(cluster: &Cluster) {
    cluster.import_archive(&archive("-iptables"));
    let container = |name: &str, words: &[&str]| {
        json!({
            "name": name,
            "image": IMAGE,
            "imagePullPolicy": "Never",
            "args": words,
            "securityContext": { "privileged": true },
        })
    };
    let verify = ["verify", "-u", "1337", "-i", "*", "-b", "*", "-d", "15090,15021,15020", "--cases", "5"];
    cluster.apply(&[json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": { "name": "verify", "namespace": "default" },
        "spec": {
            "restartPolicy": "Never",
            "initContainers": [container("check", &["check"])],
            "containers": [container("verify", &verify)],
        },
    })]);
    let ended = "jsonpath={.status.containerStatuses[0].state.terminated.exitCode}";
    let log = |name: &str| Run::of(cluster.kubectl(&["logs", "pod/verify", "--container", name]));
    testkit::wait_until("the pod has ended", || {
        !cluster.ask(&["get", "pod/verify", "--output", ended]).is_empty()
    });
    let code = cluster.ask(&["get", "pod/verify", "--output", ended]);
    assert_eq!(code, "0", "{}\n{}", log("check"), log("verify"));
    let said = log("verify").stdout;
    assert!(said.contains("iptables-legacy") && said.contains("iptables-nft"), "{said}");
    cluster.delete(&["pod/verify"]);
}
