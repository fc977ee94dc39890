// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The node agent as a `DaemonSet`, with the rights that its manifest gives it and no more.

use serde_json::{Value, json};
use testkit::{
    cluster::{Cluster, Image},
    profile_directory, wait_until,
};

use crate::{
    agent::by_agent,
    init_container::{ask_through_both_sidecars, expect_enrolled, status},
    pods::{Running, import_image},
};

const IMAGE: &str = "localhost/interceptor-agent:1";

/// What enrolling takes, and what it takes to make the namespace in which the agent tries the kernel (`SYS_ADMIN`).
const CAPABILITIES: [&str; 4] = ["BPF", "NET_ADMIN", "PERFMON", "SYS_ADMIN"];

pub(crate) fn a_daemon_set_with_four_capabilities_enrolls_pods(cluster: &Cluster) {
    import_image(cluster);
    let image = Image::new(IMAGE).program("interceptor-agent", &profile_directory().join("interceptor-agent"));
    cluster.import(&image);
    cluster.apply(&[account(), role(), binding(), daemon_set()]);
    cluster.ask(&["--namespace", "kube-system", "rollout", "status", "daemonset/interceptor-agent", "--timeout=50s"]);
    cluster.apply(&[by_agent("client"), by_agent("web")]);
    cluster.wait_for("condition=Ready", &["pod/client", "pod/web"]);
    let [client, web] = ["client", "web"].map(|name| Running::look(cluster, name));
    ask_through_both_sidecars(cluster, &client, &web);
    expect_enrolled(cluster, &[&client, &web]);
    cluster.delete(&["pod/client", "pod/web"]);
    wait_until("the agent ends what was in force for pods that are gone", || {
        status(cluster).is_empty()
    });
    cluster.ask(&["--namespace", "kube-system", "delete", "daemonset/interceptor-agent", "--wait"]);
}

fn daemon_set() -> Value {
    json!({
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": { "name": "interceptor-agent", "namespace": "kube-system" },
        "spec": {
            "selector": { "matchLabels": { "app": "interceptor-agent" } },
            "template": {
                "metadata": { "labels": { "app": "interceptor-agent" } },
                "spec": {
                    "serviceAccountName": "interceptor-agent",
                    "hostNetwork": true,
                    "terminationGracePeriodSeconds": 5,
                    "containers": [{
                        "name": "agent",
                        "image": IMAGE,
                        "imagePullPolicy": "Never",
                        "command": ["/bin/interceptor-agent"],
                        "env": [{ "name": "NODE_NAME", "valueFrom": { "fieldRef": { "fieldPath": "spec.nodeName" } } }],
                        "readinessProbe": { "httpGet": { "path": "/readyz", "port": 8000 }, "periodSeconds": 1 },
                        "securityContext": {
                            "runAsUser": 0,
                            "readOnlyRootFilesystem": true,
                            "allowPrivilegeEscalation": false,
                            "capabilities": { "drop": ["ALL"], "add": CAPABILITIES },
                        },
                        "volumeMounts": [
                            { "name": "run", "mountPath": "/run/interceptor" },
                            { "name": "bpffs", "mountPath": "/sys/fs/bpf" },
                            // Containers of hybrid nodes see no cgroup2, which the trial of the kernel takes.
                            { "name": "cgroup", "mountPath": "/host/cgroup", "readOnly": true },
                        ],
                    }],
                    "volumes": [
                        { "name": "run", "hostPath": { "path": "/run/interceptor", "type": "DirectoryOrCreate" } },
                        { "name": "bpffs", "hostPath": { "path": "/sys/fs/bpf", "type": "Directory" } },
                        { "name": "cgroup", "hostPath": { "path": "/sys/fs/cgroup", "type": "Directory" } },
                    ],
                },
            },
        },
    })
}

fn account() -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": { "name": "interceptor-agent", "namespace": "kube-system" },
    })
}

fn role() -> Value {
    json!({
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": { "name": "interceptor-agent" },
        "rules": [{ "apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list", "watch"] }],
    })
}

fn binding() -> Value {
    json!({
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRoleBinding",
        "metadata": { "name": "interceptor-agent" },
        "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "interceptor-agent" },
        "subjects": [{ "kind": "ServiceAccount", "name": "interceptor-agent", "namespace": "kube-system" }],
    })
}
