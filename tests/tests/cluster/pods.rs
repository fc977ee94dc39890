// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Pods as an injector makes them: with `istio-init`, which here is the program under test, and a small sidecar.

use std::{net::IpAddr, path::Path};

use serde_json::{Value, json};
use testkit::{
    cluster::{Cluster, Image},
    records::{Connection, Listener},
};

pub(crate) const IMAGE: &str = "localhost/interceptor-tests:1";

/// Of the application in each pod.
pub(crate) const PORT: u16 = 8080;

/// The path that kubelet asks for to know whether the application is ready.
const PROBED: &str = "/ready";

/// The program under test, the sidecar, an application and its client, in one image.
pub(crate) fn import_image(cluster: &Cluster) {
    let programs = testkit::profile_directory();
    let program = |name: &str| programs.join(name);
    let image = Image::new(IMAGE)
        .program("interceptor", testkit::interceptor_binary())
        .program("interceptor-http", &program("interceptor-http"))
        .program("interceptor-sidecar", &program("interceptor-sidecar"))
        .program("busybox", &cluster.busybox())
        .applets("busybox", &["cat", "grep", "ls", "sh", "wget"]);
    cluster.import(&image);
}

/// A pod with `istio-init`, a sidecar, and an application that kubelet probes.
pub(crate) fn injected(name: &str) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": { "name": name, "namespace": "default" },
        "spec": {
            "terminationGracePeriodSeconds": 1,
            "initContainers": [istio_init()],
            "containers": [sidecar(), application(name)],
            "volumes": [host_directory("bpffs", "/sys/fs/bpf"), host_directory("cgroup", "/sys/fs/cgroup")],
        },
    })
}

fn istio_init() -> Value {
    let mut flags = vec!["/bin/interceptor", "istio-iptables"];
    flags.extend(["-p", "15001", "-z", "15006", "-u", "1337", "-m", "REDIRECT", "-i", "*", "-x", "", "-b", "*"]);
    flags.extend(["-d", "15090,15021,15020", "--bpffs", "/host/bpf"]);
    json!({
        "name": "istio-init",
        "image": IMAGE,
        "imagePullPolicy": "Never",
        "command": flags,
        "securityContext": {
            "runAsUser": 0,
            "runAsGroup": 0,
            "readOnlyRootFilesystem": true,
            "allowPrivilegeEscalation": false,
            "capabilities": { "drop": ["ALL"], "add": ["BPF", "NET_ADMIN", "PERFMON"] },
        },
        "volumeMounts": [
            { "name": "bpffs", "mountPath": "/host/bpf" },
            { "name": "cgroup", "mountPath": "/host/cgroup", "readOnly": true },
        ],
    })
}

fn sidecar() -> Value {
    json!({
        "name": "istio-proxy",
        "image": IMAGE,
        "imagePullPolicy": "Never",
        "command": ["/bin/interceptor-sidecar"],
        "securityContext": {
            "runAsUser": 1337,
            "runAsGroup": 1337,
            "readOnlyRootFilesystem": true,
            "allowPrivilegeEscalation": false,
            "capabilities": { "drop": ["ALL"] },
        },
    })
}

fn application(name: &str) -> Value {
    json!({
        "name": "app",
        "image": IMAGE,
        "imagePullPolicy": "Never",
        "command": ["/bin/interceptor-http", "serve", "--name", name, format!("0.0.0.0:{PORT}")],
        "securityContext": { "runAsUser": 1000 },
        "readinessProbe": { "httpGet": { "path": PROBED, "port": PORT }, "periodSeconds": 1 },
    })
}

fn host_directory(name: &str, path: &str) -> Value {
    json!({ "name": name, "hostPath": { "path": path, "type": "Directory" } })
}

/// What the API knows of a pod that runs.
pub(crate) struct Running {
    pub(crate) name: String,
    pub(crate) uid: String,
    /// Its class of quality of service, which is in the path of its cgroup.
    class: String,
    /// Each sandbox has another one.
    pub(crate) address: IpAddr,
}

impl Running {
    pub(crate) fn look(cluster: &Cluster, name: &str) -> Self {
        let pod = cluster.get(&format!("pod/{name}"));
        let text = |path: &str| {
            pod.pointer(path)
                .and_then(Value::as_str)
                .unwrap_or_else(|| panic!("no {path}: {pod}"))
        };
        Self {
            name: name.to_owned(),
            uid: text("/metadata/uid").to_owned(),
            class: text("/status/qosClass").to_lowercase(),
            address: text("/status/podIP").parse().expect("an address"),
        }
    }

    /// What its sidecar has seen since it started.
    pub(crate) fn connections(&self, cluster: &Cluster) -> Vec<Connection> {
        let log = cluster.container_log(&self.name, "istio-proxy");
        let lines = log.lines().filter(|line| line.contains("\"listener\""));
        lines
            .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}")))
            .collect()
    }

    /// Those that `peer` has made to its application.
    pub(crate) fn connections_from(&self, cluster: &Cluster, peer: IpAddr) -> Vec<Connection> {
        let all = self.connections(cluster).into_iter();
        all.filter(|connection| connection.listener == Listener::Inbound && connection.peer.ip() == peer)
            .collect()
    }

    /// Its directory in cgroup2, of a pod that has not the same requests and limits.
    pub(crate) fn cgroup(&self, cluster: &Cluster) -> String {
        let root: &Path = cluster.mode().cgroup2();
        root.join("kubepods")
            .join(&self.class)
            .join(format!("pod{}", self.uid))
            .display()
            .to_string()
    }
}
