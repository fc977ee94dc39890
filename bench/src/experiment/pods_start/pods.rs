// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Pods with a sidecar that differ in how connections get to it.

use std::path::Path;

use serde_json::{Value, json};
use testkit::{
    cluster::{Cluster, Image, NODE_ADDRESS},
    istio_rules::{DEFAULT_FLAGS, DEFAULT_RULES, default_rules_v6},
    profile_directory,
};

const IMAGE: &str = "localhost/interceptor-bench:1";

/// Of Istio's sidecar.
const OUTBOUND: u16 = 15001;

/// How connections get to the sidecar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// The application dials the sidecar.
    Direct,
    /// A container before all others writes Istio's rules, with `iptables-legacy-restore`.
    Legacy,
    /// The same with `iptables-nft-restore`.
    Nft,
    /// The same container with our program.
    InitContainer,
    /// Our plugin.
    Plugin,
}

impl Way {
    pub(super) const ALL: [Self; 5] = [Self::Direct, Self::Legacy, Self::Nft, Self::InitContainer, Self::Plugin];

    pub(super) const fn label(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Legacy => "iptables-legacy",
            Self::Nft => "iptables-nft",
            Self::InitContainer => "ebpf, init container",
            Self::Plugin => "ebpf, CNI plugin",
        }
    }

    /// For a pod.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Legacy => "legacy",
            Self::Nft => "nft",
            Self::InitContainer => "init",
            Self::Plugin => "plugin",
        }
    }
}

/// Our program, a sidecar, and a busybox.
pub(super) fn image(cluster: &Cluster, shipped: &Path) -> Image {
    Image::new(IMAGE)
        .program("interceptor", &shipped.join("interceptor"))
        .program("interceptor-sidecar", &profile_directory().join("interceptor-sidecar"))
        .program("busybox", &cluster.busybox())
        .applets("busybox", &["chroot", "nc", "sh", "sleep"])
}

pub(super) fn pod(way: Way, name: &str) -> Value {
    let address = if way == Way::Direct {
        format!("127.0.0.1 {OUTBOUND}")
    } else {
        format!("{NODE_ADDRESS} 6443")
    };
    let annotations = if way == Way::Plugin {
        json!({ "sidecar.istio.io/status": "{}" })
    } else {
        json!({})
    };
    let (init_containers, volumes) = match way {
        Way::Direct | Way::Plugin => (json!([]), json!([])),
        Way::Legacy | Way::Nft => (json!([restore(way.name())]), json!([host_directory("host", "/")])),
        Way::InitContainer => (
            json!([init_container()]),
            json!([host_directory("bpffs", "/sys/fs/bpf"), host_directory("cgroup", "/sys/fs/cgroup")]),
        ),
    };
    json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": { "name": name, "namespace": "default", "annotations": annotations },
        "spec": {
            "terminationGracePeriodSeconds": 0,
            "initContainers": init_containers,
            "containers": [
                container("istio-proxy", 1337, &["/bin/interceptor-sidecar"]),
                // The sidecar listens already, unless the machine is busy.
                container("app", 1000, &[
                    "sh", "-c",
                    &format!("for _ in 1 2 3 4 5 6 7 8 9; do nc {address} < /dev/null; sleep 0.2; done; sleep 100000"),
                ]),
            ],
            "volumes": volumes,
        },
    })
}

/// The two runs of `istio-iptables`, with the programs of the node.
fn restore(kind: &str) -> Value {
    let restore = |family: &str, rules: &str| {
        format!("chroot /host /usr/sbin/{family}-{kind}-restore --noflush --wait=30 << 'END' || exit 1\n{rules}\nEND\n")
    };
    let script = restore("iptables", DEFAULT_RULES) + &restore("ip6tables", &default_rules_v6());
    let mut container = container("istio-init", 0, &["sh", "-c", &script]);
    container["securityContext"]["capabilities"] = json!({ "add": ["NET_ADMIN", "NET_RAW"] });
    container["volumeMounts"] = json!([{ "name": "host", "mountPath": "/host" }]);
    container
}

/// As an injector makes it, with our program in the place of Istio's.
fn init_container() -> Value {
    let flags = [["/bin/interceptor", "istio-iptables"].as_slice(), DEFAULT_FLAGS, &["--bpffs", "/host/bpf"]].concat();
    let mut container = container("istio-init", 0, &flags);
    container["securityContext"]["capabilities"] = json!({ "drop": ["ALL"], "add": ["BPF", "NET_ADMIN", "PERFMON"] });
    container["volumeMounts"] = json!([
        { "name": "bpffs", "mountPath": "/host/bpf" },
        { "name": "cgroup", "mountPath": "/host/cgroup", "readOnly": true },
    ]);
    container
}

fn container(name: &str, user: u32, words: &[&str]) -> Value {
    json!({
        "name": name,
        "image": IMAGE,
        "imagePullPolicy": "Never",
        "command": words,
        "securityContext": { "runAsUser": user, "runAsGroup": user },
    })
}

fn host_directory(name: &str, path: &str) -> Value {
    json!({ "name": name, "hostPath": { "path": path, "type": "Directory" } })
}
