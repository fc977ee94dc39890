// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The pods of the demo, and their images. They are as Istio injects them for its CNI plugin
//! ([`injection-template.yaml`](https://github.com/istio/istio/blob/1.27.0/manifests/charts/istio-control/istio-discovery/files/injection-template.yaml)),
//! without what only its control plane needs: Envoy's configuration comes from a file.

use std::path::Path;

use serde_json::{Value, json};
use testkit::{
    cluster::{Cluster, Image},
    envoy::{
        Binary,
        config::{Config, Port, Protocol},
    },
    interceptor_binary, profile_directory,
    scene::Stack,
};

/// As the chart calls it.
pub(super) const IMAGE: &str = concat!("localhost/interceptor:", env!("CARGO_PKG_VERSION"));
/// Envoy, the application and a shell.
const PROGRAMS: &str = "localhost/demo:1";
/// Of the application.
pub(super) const PORT: u16 = 8080;
/// What is in force after a start is written here.
const SCRATCH: &str = "/etc/istio/proxy";

/// The image of the archive, or one of programs that are here.
pub(super) fn import(cluster: &Cluster, archive: Option<&Path>) {
    let program = |name: &str| profile_directory().join(name);
    match archive {
        Some(archive) => cluster.import_archive(archive),
        None => cluster.import(
            &Image::new(IMAGE)
                .program("interceptor", interceptor_binary())
                .program("interceptor-agent", &program("interceptor-agent"))
                .program("interceptor-cni", &program("interceptor-cni"))
                .entrypoint("/bin/interceptor"),
        ),
    }
    cluster.import(
        &Image::new(PROGRAMS)
            .program("envoy", Binary::newest().path())
            .program("interceptor-http", &program("interceptor-http"))
            .program("busybox", &cluster.busybox())
            .applets("busybox", &["sh", "wget"]),
    );
}

/// The configuration that all Envoys read.
pub(super) fn configuration() -> Value {
    let config = Config {
        ports: vec![Port { number: PORT, protocol: Protocol::Detect }],
        access_log: "/dev/stdout".into(),
        admin: format!("{SCRATCH}/admin").into(),
        ..Config::new(Stack::V4)
    };
    json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": { "name": "envoy", "namespace": "default" },
        "data": { "config.json": config.bootstrap().to_string() },
    })
}

/// A pod whose application says its name.
pub(super) fn pod(name: &str) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": { "name": name, "namespace": "default", "annotations": { "sidecar.istio.io/status": "{}" } },
        "spec": {
            "terminationGracePeriodSeconds": 1,
            "initContainers": [validation()],
            "containers": [proxy(), application(name)],
            "volumes": [
                { "name": "istio-envoy", "emptyDir": { "medium": "Memory" } },
                { "name": "envoy", "configMap": { "name": "envoy" } },
            ],
        },
    })
}

/// Fails where nothing is redirected. Of Istio's containers, it is the one that Interceptor's image takes the place of.
fn validation() -> Value {
    json!({
        "name": "istio-validation",
        "image": IMAGE,
        "imagePullPolicy": "Never",
        "args": [
            "istio-iptables", "-p", "15001", "-z", "15006", "-u", "1337", "-m", "REDIRECT", "-i", "*", "-x", "",
            "-b", "*", "-d", "15090,15021,15020", "--run-validation", "--skip-rule-apply",
        ],
        "securityContext": of_user(1337),
    })
}

/// Istio's program starts Envoy. Here, a shell does.
fn proxy() -> Value {
    let start = "exec envoy --config-path /etc/envoy/config.json --concurrency 1 --disable-hot-restart \
                 --log-level warning --file-flush-interval-msec 20";
    json!({
        "name": "istio-proxy",
        "image": PROGRAMS,
        "imagePullPolicy": "Never",
        "command": ["/bin/sh", "-c", start],
        "securityContext": of_user(1337),
        "volumeMounts": [
            { "name": "istio-envoy", "mountPath": SCRATCH },
            { "name": "envoy", "mountPath": "/etc/envoy" },
        ],
    })
}

fn application(name: &str) -> Value {
    json!({
        "name": "app",
        "image": PROGRAMS,
        "imagePullPolicy": "Never",
        "command": ["/bin/interceptor-http", "serve", "--name", name, format!("0.0.0.0:{PORT}")],
        "securityContext": of_user(1000),
        "readinessProbe": { "httpGet": { "path": "/ready", "port": PORT }, "periodSeconds": 1 },
    })
}

/// May do nothing that another user may not.
fn of_user(id: u32) -> Value {
    json!({
        "allowPrivilegeEscalation": false,
        "capabilities": { "drop": ["ALL"] },
        "privileged": false,
        "readOnlyRootFilesystem": true,
        "runAsGroup": id,
        "runAsNonRoot": true,
        "runAsUser": id,
    })
}
