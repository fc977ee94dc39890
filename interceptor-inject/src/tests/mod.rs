// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What is rewritten, what is left alone, and the way back. The pods are written by hand, in the shape that Istio's
//! template gives them
//! ([`hello.yaml.injected`](https://github.com/istio/istio/blob/master/pkg/kube/inject/testdata/inject/hello.yaml.injected)).

mod cni;
#[cfg(feature = "cli")]
mod goldens;
mod kinds;
mod laws;
mod left_alone;
mod rewrite;
mod undo;
#[cfg(feature = "cli")]
mod yaml;

use serde_json::{Value, json};

use crate::{Outcome, Reason, Rewrite, Verdict};

const IMAGE: &str = "registry.example/mesh/interceptor:0.1";

fn options() -> Rewrite {
    Rewrite { image: Some(IMAGE.into()), ..Rewrite::default() }
}

fn args() -> Value {
    json!([
        "istio-iptables",
        "-p",
        "15001",
        "-z",
        "15006",
        "-u",
        "1337",
        "-m",
        "REDIRECT",
        "-i",
        "*",
        "-x",
        "",
        "-b",
        "*",
        "-d",
        "15090,15021,15020",
        "--log_output_level=default:info"
    ])
}

/// The container that Istio injects.
fn istio_init() -> Value {
    json!({
        "name": "istio-init",
        "image": "docker.io/istio/proxyv2:1.29.0",
        "args": args(),
        "resources": { "limits": { "cpu": "2", "memory": "1Gi" } },
        "securityContext": {
            "allowPrivilegeEscalation": false,
            "capabilities": { "add": ["NET_ADMIN", "NET_RAW"], "drop": ["ALL"] },
            "privileged": false,
            "readOnlyRootFilesystem": false,
            "runAsGroup": 0,
            "runAsNonRoot": false,
            "runAsUser": 0,
        },
    })
}

/// The container that the rewrite makes of [`istio_init`].
fn interceptor_init() -> Value {
    json!({
        "name": "istio-init",
        "image": IMAGE,
        "args": args(),
        "env": [{ "name": "INTERCEPTOR_BPFFS", "value": "/host/bpf" }],
        "resources": { "limits": { "cpu": "2", "memory": "1Gi" } },
        "securityContext": {
            "allowPrivilegeEscalation": false,
            "capabilities": { "add": ["BPF", "NET_ADMIN", "PERFMON"], "drop": ["ALL"] },
            "privileged": false,
            "readOnlyRootFilesystem": true,
            "runAsGroup": 0,
            "runAsNonRoot": false,
            "runAsUser": 0,
        },
        "volumeMounts": [
            { "name": "interceptor-bpffs", "mountPath": "/host/bpf" },
            { "name": "interceptor-cgroup", "mountPath": "/host/cgroup", "readOnly": true },
        ],
    })
}

/// A pod with the sidecar as a native one, and an init container of the application.
fn pod() -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": { "name": "web", "namespace": "shop", "labels": { "app": "web" } },
        "spec": {
            "initContainers": [
                istio_init(),
                { "name": "istio-proxy", "image": "docker.io/istio/proxyv2:1.29.0", "restartPolicy": "Always" },
                { "name": "migrate", "image": "shop/migrate" },
            ],
            "containers": [{ "name": "web", "image": "shop/web", "fieldOfAFutureVersion": { "a": [1, null] } }],
            "volumes": [{ "name": "istio-envoy", "emptyDir": { "medium": "Memory" } }],
        },
    })
}

/// A pod with changes: `null` removes a value.
fn pod_with(changes: &[(&str, Value)]) -> Value {
    let mut pod = pod();
    for (pointer, value) in changes {
        set(&mut pod, pointer, value.clone());
    }
    pod
}

/// Sets the value at a JSON pointer; objects on the way are made.
fn set(manifest: &mut Value, pointer: &str, value: Value) {
    let mut at = manifest;
    for name in pointer.split('/').skip(1).map(|name| name.replace("~1", "/")) {
        at = match name.parse::<usize>() {
            Ok(index) => &mut at[index],
            Err(_) => &mut at[name],
        };
    }
    *at = value;
}

fn rewritten(manifest: &Value) -> Outcome {
    options().apply(manifest).unwrap()
}

/// The manifest after a rewrite that changes its only workload without a warning.
fn changed(manifest: &Value) -> Value {
    let Outcome { manifest: new, workloads } = rewritten(manifest);
    let verdicts: Vec<_> = workloads.into_iter().map(|workload| workload.verdict).collect();
    assert_eq!(verdicts, [Verdict::Changed { warnings: vec![] }]);
    new
}

/// Why the only workload is left alone; the manifest has to be the same.
fn reason(manifest: &Value) -> Reason {
    let Outcome { manifest: new, workloads } = rewritten(manifest);
    assert_eq!(&new, manifest);
    match <[_; 1]>::try_from(workloads).unwrap().map(|workload| workload.verdict) {
        [Verdict::LeftAlone(reason)] => reason,
        other => panic!("{other:?}"),
    }
}
