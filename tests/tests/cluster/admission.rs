// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Which pods a namespace with restrictions takes. This Kubernetes has the rules of the level `baseline` as a
//! `PodSecurityPolicy`, which later ones have as a label of the namespace
//! ([Pod Security Standards](https://kubernetes.io/docs/concepts/security/pod-security-standards/#baseline)).

use std::fs::File;

use serde_json::{Value, json};
use testkit::{
    Process, Run,
    cluster::{Cluster, NODE_ADDRESS},
    wait_until,
};

use crate::rewritten::{injected_by_istio, rewrite};

/// Of the server with that admission. The node's own has none.
const PORT: u16 = 6444;
/// Who may use that policy, and no other.
const USER: &str = "developer";

pub(crate) fn baseline_takes_a_pod_rewritten_for_the_plugin_and_no_other(cluster: &Cluster) {
    cluster.apply(&[policy(), role(), binding()]);
    let _server = strict_server(cluster);
    let by_istio = create(cluster, &injected_by_istio());
    assert!(by_istio.code != Some(0) && by_istio.stderr.contains("NET_ADMIN"), "{by_istio}");
    let by_init = create(cluster, &rewrite(&[]));
    for forbidden in ["hostPath", "BPF", "NET_ADMIN", "PERFMON"] {
        assert!(
            by_init.code != Some(0) && by_init.stderr.contains(forbidden),
            "{forbidden}: {by_init}"
        );
    }
    let by_plugin = create(cluster, &rewrite(&["--data-path", "cni"]));
    by_plugin.expect_success();
    assert!(by_plugin.stdout.contains("pod/web created (server dry run)"), "{by_plugin}");
    for object in ["clusterrolebinding", "clusterrole", "podsecuritypolicy"] {
        cluster.ask(&["delete", &format!("{object}/baseline")]);
    }
}

/// Asks whether it would be created.
fn create(cluster: &Cluster, pods: &str) -> Run {
    let mut arguments = of_the_server(&["create", "--dry-run=server", "--filename", "-"]);
    arguments.push(format!("--as={USER}"));
    Run::with_input(cluster.kubectl(&arguments), pods)
}

/// A second API server of the cluster, with the flags of the first one and one kind of admission more.
fn strict_server(cluster: &Cluster) -> Process {
    let command_line = "tr '\\0' '\\n' < /proc/$(pgrep -x kube-apiserver)/cmdline";
    let text = cluster.succeed(&["sh", "-c", command_line]);
    let mut words = text.lines();
    let mut command = cluster.node(words.next().expect("a program"));
    for word in words {
        match word.split_once('=') {
            Some(("--enable-admission-plugins", plugins)) => {
                command.arg(format!("--enable-admission-plugins={plugins},PodSecurityPolicy"));
            }
            Some(("--secure-port", _)) => {
                command.arg(format!("--secure-port={PORT}"));
            }
            _ => {
                command.arg(word);
            }
        }
    }
    // The cluster keeps to its first one.
    command.arg("--endpoint-reconciler-type=none");
    command.stderr(File::create(cluster.logs().join("strict-apiserver.log")).expect("make a log"));
    let server = Process::spawn("a second API server", &mut command);
    wait_until("the second API server is ready", || {
        Run::of(cluster.kubectl(&of_the_server(&["get", "--raw", "/readyz"]))).code == Some(0)
    });
    server
}

fn of_the_server(words: &[&str]) -> Vec<String> {
    let server = format!("--server=https://{NODE_ADDRESS}:{PORT}");
    words.iter().map(|word| (*word).to_owned()).chain([server]).collect()
}

fn policy() -> Value {
    let any = json!({ "rule": "RunAsAny" });
    json!({
        "apiVersion": "policy/v1beta1",
        "kind": "PodSecurityPolicy",
        "metadata": { "name": "baseline" },
        "spec": {
            "privileged": false,
            "allowedCapabilities": [
                "AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD", "NET_BIND_SERVICE",
                "SETFCAP", "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT",
            ],
            "volumes": ["configMap", "csi", "downwardAPI", "emptyDir", "persistentVolumeClaim", "projected", "secret"],
            "runAsUser": any, "seLinux": any, "supplementalGroups": any, "fsGroup": any,
        },
    })
}

fn role() -> Value {
    json!({
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": { "name": "baseline" },
        "rules": [
            { "apiGroups": [""], "resources": ["pods"], "verbs": ["create"] },
            {
                "apiGroups": ["policy"], "resources": ["podsecuritypolicies"], "resourceNames": ["baseline"],
                "verbs": ["use"],
            },
        ],
    })
}

fn binding() -> Value {
    json!({
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRoleBinding",
        "metadata": { "name": "baseline" },
        "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "baseline" },
        "subjects": [{ "kind": "User", "apiGroup": "rbac.authorization.k8s.io", "name": USER }],
    })
}
