// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The node agent as a `DaemonSet` that puts the plugin on the node, with the rights that its manifest gives it and no
//! more.

use serde_json::{Value, json};
use testkit::{
    cluster::{Cluster, Image},
    profile_directory, wait_until,
};

const IMAGE: &str = "localhost/interceptor-agent:1";
/// Its name, and that of its account and its rights.
const NAME: &str = "interceptor-agent";

/// `SYS_ADMIN` to enter the namespaces of pods. For the kernel, it includes `BPF` and `PERFMON`
/// ([`capability.h`](https://github.com/torvalds/linux/blob/v6.12/include/linux/capability.h#L201)).
pub(crate) const CAPABILITIES: [&str; 3] = ["NET_ADMIN", "NET_BROADCAST", "SYS_ADMIN"];

/// Returns when the agent is ready.
pub(crate) fn deploy(cluster: &Cluster) {
    let program = |name: &str| profile_directory().join(name);
    let image = Image::new(IMAGE)
        .program("interceptor-agent", &program("interceptor-agent"))
        .program("interceptor-cni", &program("interceptor-cni"));
    cluster.import(&image);
    cluster.apply(&[account(), role(), binding(), daemon_set()]);
    wait_for_rollout(cluster);
}

/// Replaces the agent's pod by another one.
pub(crate) fn restart(cluster: &Cluster) {
    of_the_system(cluster, &["rollout", "restart", &format!("daemonset/{NAME}")]);
    wait_for_rollout(cluster);
}

/// Deletes everything as a package manager may: the rights before the agent that needs them. Returns when the agent's
/// pod is gone.
pub(crate) fn delete(cluster: &Cluster) {
    for kind in ["clusterrolebinding", "clusterrole"] {
        cluster.ask(&["delete", &format!("{kind}/{NAME}")]);
    }
    for kind in ["serviceaccount", "daemonset"] {
        of_the_system(cluster, &["delete", &format!("{kind}/{NAME}")]);
    }
    let label = format!("app={NAME}");
    wait_until("the agent's pod is gone", || {
        of_the_system(cluster, &["get", "pod", "--selector", &label, "--output", "name"]).is_empty()
    });
}

fn wait_for_rollout(cluster: &Cluster) {
    of_the_system(cluster, &["rollout", "status", &format!("daemonset/{NAME}"), "--timeout=50s"]);
}

fn of_the_system(cluster: &Cluster, words: &[&str]) -> String {
    cluster.ask(&[&["--namespace", "kube-system"], words].concat())
}

fn daemon_set() -> Value {
    json!({
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": { "name": NAME, "namespace": "kube-system" },
        "spec": {
            "selector": { "matchLabels": { "app": NAME } },
            "template": {
                "metadata": { "labels": { "app": NAME } },
                "spec": {
                    "serviceAccountName": NAME,
                    "hostNetwork": true,
                    "terminationGracePeriodSeconds": 30,
                    "containers": [container()],
                    "volumes": [
                        { "name": "run", "hostPath": { "path": "/run/interceptor", "type": "DirectoryOrCreate" } },
                        { "name": "bpffs", "hostPath": { "path": "/sys/fs/bpf", "type": "Directory" } },
                        { "name": "cgroup", "hostPath": { "path": "/sys/fs/cgroup", "type": "Directory" } },
                        { "name": "cni-net", "hostPath": { "path": "/etc/cni/net.d", "type": "Directory" } },
                        { "name": "cni-bin", "hostPath": { "path": "/opt/cni/bin", "type": "Directory" } },
                    ],
                },
            },
        },
    })
}

fn container() -> Value {
    let field = |name: &str, path: &str| json!({ "name": name, "valueFrom": { "fieldRef": { "fieldPath": path } } });
    json!({
        "name": "agent",
        "image": IMAGE,
        "imagePullPolicy": "Never",
        "command": ["/bin/interceptor-agent"],
        "env": [
            field("NODE_NAME", "spec.nodeName"),
            field("POD_NAMESPACE", "metadata.namespace"),
            { "name": "DAEMONSET_NAME", "value": NAME },
            { "name": "INSTALL_CNI", "value": "true" },
        ],
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
            { "name": "cni-net", "mountPath": "/host/etc/cni/net.d" },
            { "name": "cni-bin", "mountPath": "/host/opt/cni/bin" },
        ],
    })
}

fn account() -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": { "name": NAME, "namespace": "kube-system" },
    })
}

fn role() -> Value {
    json!({
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": { "name": NAME },
        "rules": [
            { "apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list", "watch"] },
            { "apiGroups": ["apps"], "resources": ["daemonsets"], "resourceNames": [NAME], "verbs": ["get"] },
        ],
    })
}

fn binding() -> Value {
    json!({
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRoleBinding",
        "metadata": { "name": NAME },
        "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": NAME },
        "subjects": [{ "kind": "ServiceAccount", "name": NAME, "namespace": "kube-system" }],
    })
}
