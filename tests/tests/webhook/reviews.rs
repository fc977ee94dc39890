// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Reviews as an API server asks for them, of pods as istiod makes them
//! ([`hello.yaml.injected`](https://github.com/istio/istio/blob/1.27.0/pkg/kube/inject/testdata/inject/hello.yaml.injected)).

use serde_json::{Value, json};

pub(crate) const UID: &str = "705ab4f5-6393-11e8-b7cc-42010a800002";

pub(crate) fn of(version: &str, object: &Value) -> Value {
    json!({
        "kind": "AdmissionReview",
        "apiVersion": format!("admission.k8s.io/{version}"),
        "request": {
            "uid": UID,
            "kind": { "group": "", "version": "v1", "kind": "Pod" },
            "resource": { "group": "", "version": "v1", "resource": "pods" },
            "requestKind": { "group": "", "version": "v1", "kind": "Pod" },
            "requestResource": { "group": "", "version": "v1", "resource": "pods" },
            "namespace": "shop",
            "operation": "CREATE",
            "userInfo": { "username": "system:serviceaccount:kube-system:replicaset-controller" },
            "object": object,
            "oldObject": null,
            "dryRun": false,
            "options": { "kind": "CreateOptions", "apiVersion": "meta.k8s.io/v1" },
        },
    })
}

/// A pod that istiod injected.
pub(crate) fn pod() -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "generateName": "hello-7d9c5b-",
            "labels": { "app": "hello", "security.istio.io/tlsMode": "istio" },
            "annotations": { "sidecar.istio.io/status": "{\"revision\":\"default\"}" },
        },
        "spec": {
            "initContainers": [
                {
                    "name": "istio-init",
                    "image": "docker.io/istio/proxyv2:1.29.0",
                    "args": [
                        "istio-iptables", "-p", "15001", "-z", "15006", "-u", "1337", "-m", "REDIRECT", "-i", "*",
                        "-x", "", "-b", "*", "-d", "15090,15021,15020", "--log_output_level=default:info",
                    ],
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
                },
                { "name": "istio-proxy", "image": "docker.io/istio/proxyv2:1.29.0", "restartPolicy": "Always" },
            ],
            "containers": [{ "name": "hello", "image": "fake.docker.io/google-samples/hello-go-gke:1.0" }],
            "volumes": [{ "name": "istio-envoy", "emptyDir": { "medium": "Memory" } }],
        },
    })
}

/// The same with so many bytes, as large pods have them: in variables.
pub(crate) fn pod_of(bytes: usize) -> Value {
    let mut pod = pod();
    let missing = bytes.saturating_sub(pod.to_string().len());
    let variable = |n: usize| json!({ "name": format!("SETTING_{n:04}"), "value": "x".repeat(64) });
    let each = variable(0).to_string().len() + 1;
    pod["spec"]["containers"][0]["env"] = (0..missing / each).map(variable).collect();
    pod
}
