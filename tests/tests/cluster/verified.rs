// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The commands that look at a node, in a privileged pod of the image that has iptables.

use serde_json::json;
use testkit::{Run, cluster::Cluster, wait_until};

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
            // Runtimes mount only the hierarchies of version 1 where a node has those, too.
            "volumeMounts": [
                { "name": "bpffs", "mountPath": "/sys/fs/bpf" },
                { "name": "cgroups", "mountPath": "/sys/fs/cgroup" },
            ],
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
            "volumes": [
                { "name": "bpffs", "hostPath": { "path": "/sys/fs/bpf", "type": "Directory" } },
                { "name": "cgroups", "hostPath": { "path": "/sys/fs/cgroup", "type": "Directory" } },
            ],
        },
    })]);
    let phase = || cluster.ask(&["get", "pod/verify", "--output", "jsonpath={.status.phase}"]);
    let log = |name: &str| Run::of(cluster.kubectl(&["logs", "pod/verify", "--container", name]));
    wait_until("the pod has ended", || ["Succeeded", "Failed"].contains(&phase().as_str()));
    assert_eq!(phase(), "Succeeded", "{}\n{}", log("check"), log("verify"));
    let said = log("verify").stdout;
    assert!(said.contains("iptables-legacy") && said.contains("iptables-nft"), "{said}");
    cluster.delete(&["pod/verify"]);
}
