// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The `DaemonSet` beside that of istio-cni: every field that Istio's has and ours lacks, with the reason.
//!
//! `istio-daemonset.txt` lists the fields of what Istio's chart renders with its default values
//! ([`daemonset.yaml`](https://github.com/istio/istio/blob/86c9f01fd735/manifests/charts/istio-cni/templates/daemonset.yaml)).

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::{helm, objects::object};

/// How lines of Istio's list begin that ours lacks, or has with another value.
const DIFFERENCES: [(&str, &str); 26] = [
    ("metadata/labels/app.kubernetes.io/", "names this chart"),
    ("metadata/labels/helm.sh/chart", "names this chart"),
    (
        "metadata/labels/install.operator.istio.io/",
        "for Istio's operator, which does not know this chart",
    ),
    (
        "metadata/labels/operator.istio.io/",
        "for Istio's operator, which does not know this chart",
    ),
    ("metadata/labels/release", "app.kubernetes.io/instance says it"),
    (
        "metadata/name",
        "another name, so that one may be installed while the other is being removed",
    ),
    (
        "spec/selector/matchLabels/k8s-app",
        "istio-cni selects by it, and two of one selector take each other's pods",
    ),
    (
        "spec/template/metadata/annotations/container.apparmor.security.beta.kubernetes.io/install-cni",
        "the container has another name",
    ),
    ("spec/template/metadata/labels/app.kubernetes.io/", "names this chart"),
    ("spec/template/metadata/labels/helm.sh/chart", "names this chart"),
    ("spec/template/spec/containers/0/command", "the image has an entrypoint"),
    (
        "spec/template/spec/containers/0/env/REPAIR_NODE_NAME",
        "the agent repairs pods of its own node only",
    ),
    (
        "spec/template/spec/containers/0/env/REPAIR_RUN_AS_DAEMON",
        "means nothing to the agent",
    ),
    (
        "spec/template/spec/containers/0/env/REPAIR_SIDECAR_ANNOTATION",
        "is the default of the agent",
    ),
    (
        "spec/template/spec/containers/0/env/ALLOW_SWITCH_TO_HOST_NS",
        "the agent is in the host's network",
    ),
    (
        "spec/template/spec/containers/0/env/NODE_NAME/valueFrom/fieldRef/apiVersion",
        "is the default",
    ),
    ("spec/template/spec/containers/0/env/GOMEMLIMIT", "of Go's runtime"),
    ("spec/template/spec/containers/0/env/POD_NAME/", "means nothing to the agent"),
    ("spec/template/spec/containers/0/envFrom", "the ConfigMap has another name"),
    ("spec/template/spec/containers/0/image", "another image"),
    ("spec/template/spec/containers/0/name", "another name"),
    (
        "spec/template/spec/containers/0/securityContext/capabilities/add/NET_RAW",
        "for iptables' table nat",
    ),
    (
        "spec/template/spec/containers/0/volumeMounts//var/run/istio-cni",
        "the agent has a directory of its own",
    ),
    ("spec/template/spec/serviceAccountName", "another name"),
    (
        "spec/template/spec/volumes//var/run/istio-cni",
        "the agent has a directory of its own",
    ),
    (
        "spec/template/spec/volumes//var/run/netns",
        "the plugin hands namespaces over; Istio's does not mount it either",
    ),
];

/// What ours has besides, and that Istio's chart does without.
const ADDITIONS: [&str; 13] = [
    "metadata/labels/app.kubernetes.io/",
    "metadata/labels/helm.sh/chart",
    "metadata/name",
    "spec/selector/matchLabels/",
    "spec/template/metadata/annotations/container.apparmor.security.beta.kubernetes.io/agent",
    "spec/template/metadata/annotations/interceptor.dev/config",
    "spec/template/metadata/labels/",
    "spec/template/spec/containers/0/",
    "spec/template/spec/hostNetwork",
    "spec/template/spec/serviceAccountName",
    "spec/template/spec/volumes//run/interceptor",
    "spec/template/spec/volumes//sys/fs/bpf",
    "spec/template/spec/volumes//sys/fs/cgroup",
];

/// A line for each field: `spec/updateStrategy/type = RollingUpdate`.
fn fields(value: &Value, path: &str, found: &mut BTreeSet<String>) {
    let below = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}/{name}") };
    match value {
        Value::Object(map) => map.iter().for_each(|(name, inner)| fields(inner, &below(name), found)),
        Value::Array(list) => {
            for (position, inner) in list.iter().enumerate() {
                match key(path, inner) {
                    Some(key) => fields(inner, &below(&key), found),
                    None if inner.is_object() => fields(inner, &below(&position.to_string()), found),
                    None => {
                        found.insert(format!("{}/{}", path, text(inner)));
                    }
                }
            }
        }
        plain => {
            found.insert(format!("{path} = {}", text(plain)));
        }
    }
}

/// What an element of a list is known by, whatever it is called: a volume by its directory.
fn key(path: &str, element: &Value) -> Option<String> {
    let list = path.rsplit('/').next()?;
    let pointer = match list {
        "env" => "/name",
        "volumes" => "/hostPath/path",
        "volumeMounts" => "/mountPath",
        _ => return None,
    };
    element.pointer(pointer).map(text)
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn ours() -> BTreeSet<String> {
    let rendered = helm().render(&json!({})).expect("the chart with its defaults");
    let mut daemon_set = object(&rendered, "DaemonSet").clone();
    let spec = &mut daemon_set["spec"]["template"]["spec"];
    // Volumes and their mounts are known by their directories; what they are called is nobody's concern.
    for pointer in ["/volumes", "/containers/0/volumeMounts"] {
        for element in spec.pointer_mut(pointer).and_then(Value::as_array_mut).expect("a list") {
            element.as_object_mut().expect("an object").remove("name");
        }
    }
    let mut found = BTreeSet::new();
    fields(&daemon_set, "", &mut found);
    found
}

fn istios() -> BTreeSet<String> {
    let lines = include_str!("istio-daemonset.txt").lines();
    lines.filter(|line| !line.starts_with('#')).map(str::to_owned).collect()
}

#[test]
fn every_field_of_istios_that_ours_lacks_has_a_reason() {
    let (istios, ours) = (istios(), ours());
    let lacking: Vec<_> = istios.difference(&ours).collect();
    let unexplained: Vec<_> = lacking
        .iter()
        .filter(|line| !DIFFERENCES.iter().any(|(start, _)| line.starts_with(start)))
        .collect();
    assert_eq!(unexplained, [&&""; 0]);
    let stale: Vec<_> = DIFFERENCES
        .iter()
        .filter(|(start, _)| !lacking.iter().any(|line| line.starts_with(start)))
        .collect();
    assert_eq!(stale, [&("", ""); 0]);
}

#[test]
fn what_ours_has_besides_is_listed() {
    let (istios, ours) = (istios(), ours());
    let more: Vec<_> = ours.difference(&istios).collect();
    let unlisted: Vec<_> = more
        .iter()
        .filter(|line| !ADDITIONS.iter().any(|start| line.starts_with(start)))
        .collect();
    assert_eq!(unlisted, [&&""; 0]);
    let stale: Vec<_> = ADDITIONS
        .iter()
        .filter(|start| !more.iter().any(|line| line.starts_with(*start)))
        .collect();
    assert_eq!(stale, [&""; 0]);
}
