// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What a pod gets, where, and which pods are refused.

use rstest::rstest;
use serde_json::{Value, json};

use super::Plain;
use crate::{Outcome, Reason, Rewrite, Verdict, selection::Rule};

fn plain() -> Plain {
    Plain {
        envoy_image: "envoyproxy/envoy:v1.40.0".to_owned(),
        envoy_config: "envoy".to_owned(),
        image: Some("registry.example/interceptor:0.1".to_owned()),
        native_sidecars: false,
        any_runtime: false,
        selinux_type: None,
        kinds: Vec::new(),
    }
}

/// A pod of an application, with changes: `null` removes a value.
fn pod(changes: &[(&str, Value)]) -> Value {
    let mut pod = json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": { "name": "web", "namespace": "shop", "labels": {}, "annotations": {} },
        "spec": {
            "initContainers": [{ "name": "migrate", "image": "shop/migrate" }],
            "containers": [{ "name": "web", "image": "shop/web" }],
        },
    });
    for (pointer, value) in changes {
        let mut at = &mut pod;
        for name in pointer.split('/').skip(1).map(|name| name.replace("~1", "/")) {
            at = &mut at[name];
        }
        *at = value.clone();
    }
    pod
}

fn injected(plain: &Plain, pod: &Value) -> Value {
    let Outcome { manifest, workloads } = plain.apply(pod).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(workloads[0].verdict, Verdict::Changed { warnings: vec![] });
    manifest
}

fn names(list: &Value) -> Vec<&str> {
    list.as_array()
        .unwrap()
        .iter()
        .map(|item| item["name"].as_str().unwrap())
        .collect()
}

#[test]
fn a_pod_gets_an_envoy_without_rights_and_the_container_that_redirects_to_it() {
    let new = injected(&plain(), &pod(&[]));
    let init = json!({
        "name": "interceptor-init",
        "image": "registry.example/interceptor:0.1",
        "args": [
            "istio-iptables", "-p", "15001", "-z", "15006", "-u", "1337", "-m", "REDIRECT",
            "-i", "*", "-b", "*", "-d", "15021",
        ],
        "env": [{ "name": "INTERCEPTOR_BPFFS", "value": "/host/bpf" }],
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
    });
    let envoy = json!({
        "name": "interceptor-envoy",
        "image": "envoyproxy/envoy:v1.40.0",
        "args": ["--config-path", "/etc/interceptor-envoy/envoy.yaml"],
        "readinessProbe": {
            "httpGet": { "path": "/healthz/ready", "port": 15021 },
            "periodSeconds": 15,
            "timeoutSeconds": 3,
            "failureThreshold": 4,
        },
        "startupProbe": {
            "httpGet": { "path": "/healthz/ready", "port": 15021 },
            "periodSeconds": 1,
            "timeoutSeconds": 3,
            "failureThreshold": 600,
        },
        "securityContext": {
            "allowPrivilegeEscalation": false,
            "capabilities": { "drop": ["ALL"] },
            "privileged": false,
            "readOnlyRootFilesystem": true,
            "runAsGroup": 1337,
            "runAsNonRoot": true,
            "runAsUser": 1337,
        },
        "volumeMounts": [
            { "name": "interceptor-envoy-config", "mountPath": "/etc/interceptor-envoy", "readOnly": true },
        ],
    });
    assert_eq!(
        new["spec"]["initContainers"],
        json!([{ "name": "migrate", "image": "shop/migrate" }, init])
    );
    assert_eq!(
        new["spec"]["containers"],
        json!([{ "name": "web", "image": "shop/web" }, envoy])
    );
    assert_eq!(
        new["spec"]["volumes"],
        json!([
            { "name": "interceptor-envoy-config", "configMap": { "name": "envoy" } },
            { "name": "interceptor-bpffs", "hostPath": { "path": "/sys/fs/bpf", "type": "Directory" } },
            { "name": "interceptor-cgroup", "hostPath": { "path": "/sys/fs/cgroup", "type": "Directory" } },
        ])
    );
    assert_eq!(new["metadata"], pod(&[])["metadata"]);
}

#[test]
fn a_native_sidecar_stands_before_the_init_containers_of_the_application() {
    let new = injected(&Plain { native_sidecars: true, ..plain() }, &pod(&[]));
    assert_eq!(
        names(&new["spec"]["initContainers"]),
        ["interceptor-init", "interceptor-envoy", "migrate"]
    );
    assert_eq!(names(&new["spec"]["containers"]), ["web"]);
    assert_eq!(new["spec"]["initContainers"][1]["restartPolicy"], "Always");
}

#[rstest]
fn injecting_twice_is_injecting_once_also_with_another_version(#[values(false, true)] native_sidecars: bool) {
    let plain = Plain { native_sidecars, ..plain() };
    let older = Plain {
        image: Some("interceptor:0.0.1".to_owned()),
        envoy_config: "older".to_owned(),
        native_sidecars: !native_sidecars,
        ..plain.clone()
    };
    let once = injected(&plain, &pod(&[]));
    assert_eq!(plain.apply(&once).unwrap().workloads[0].verdict, Verdict::Unchanged);
    let again = injected(&plain, &injected(&older, &pod(&[])));
    for list in ["initContainers", "containers"] {
        assert_eq!(again["spec"][list], once["spec"][list]);
    }
    assert_eq!(again["spec"]["volumes"].as_array().unwrap().len(), 3);
}

#[test]
fn annotations_about_traffic_become_arguments() {
    let traffic = |name: &str| format!("/metadata/annotations/traffic.sidecar.istio.io~1{name}");
    let new = injected(
        &plain(),
        &pod(&[
            (&traffic("includeOutboundIPRanges"), json!("10.0.0.0/8")),
            (&traffic("excludeInboundPorts"), json!("22, 80")),
            (&traffic("excludeOutboundPorts"), json!("5432")),
        ]),
    );
    let args = &new["spec"]["initContainers"][1]["args"];
    let expected = json!(["-i", "10.0.0.0/8", "-b", "*", "-d", "15021,22,80", "-o", "5432"]);
    assert_eq!(args.as_array().unwrap()[9..], *expected.as_array().unwrap());
}

#[rstest]
#[case::status("/metadata/annotations/sidecar.istio.io~1status", json!("{}"), "annotation sidecar.istio.io/status")]
#[case::sidecar("/spec/containers", json!([{ "name": "istio-proxy", "image": "auto" }]), "Istio's istio-proxy")]
#[case::init("/spec/initContainers", json!([{ "name": "istio-init", "image": "x" }]), "Istio's istio-init")]
#[case::stub("/spec/containers", json!([{ "name": "interceptor-envoy" }]), "spec.containers[0] is there already")]
#[case::of_the_user(
    "/spec/initContainers",
    json!([{ "name": "interceptor-init", "image": "x" }]),
    "spec.initContainers[0] is there already"
)]
#[case::volume("/spec/volumes", json!([{ "name": "interceptor-bpffs", "emptyDir": {} }]), "is there already")]
#[case::user_namespace("/spec/hostUsers", json!(false), "hostUsers")]
#[case::runtime_class("/spec/runtimeClassName", json!("gvisor"), "--any-runtime")]
#[case::mode("/metadata/annotations/sidecar.istio.io~1interceptionMode", json!("TPROXY"), "redirected to (REDIRECT)")]
#[case::traffic("/metadata/annotations/traffic.sidecar.istio.io~1excludeInboundPorts", json!("http"), "http")]
#[case::malformed("/spec/containers", json!({}), "expected a list")]
fn a_pod_that_cannot_be_injected_is_an_error(#[case] pointer: &str, #[case] value: Value, #[case] expected: &str) {
    let error = plain().apply(&pod(&[(pointer, value)])).unwrap_err().to_string();
    assert!(error.starts_with("Pod shop/web: ") && error.contains(expected), "{error}");
}

#[rstest]
#[case::label("/metadata/labels/interceptor.dev~1inject", json!("false"), Rule::Label)]
#[case::annotation("/metadata/annotations/interceptor.dev~1inject", json!("false"), Rule::Annotation)]
#[case::network("/spec/hostNetwork", json!(true), Rule::HostNetwork)]
#[case::namespace("/metadata/namespace", json!("kube-public"), Rule::IgnoredNamespace)]
fn a_pod_that_is_not_to_be_injected_is_left_alone(#[case] pointer: &str, #[case] value: Value, #[case] expected: Rule) {
    let pod = pod(&[(pointer, value)]);
    let outcome = plain().apply(&pod).unwrap();
    let Verdict::LeftAlone(Reason::NotSelected { rule, .. }) = &outcome.workloads[0].verdict else {
        panic!("{outcome:?}")
    };
    assert_eq!((rule, outcome.manifest), (&expected, pod));
}

#[test]
fn istios_label_does_not_count() {
    let changes = [("/metadata/labels/sidecar.istio.io~1inject", json!("false"))];
    assert_ne!(injected(&plain(), &pod(&changes)), pod(&changes));
}

#[test]
fn the_rewrite_leaves_it_alone() {
    let new = injected(&plain(), &pod(&[]));
    let outcome = Rewrite::default().apply(&new).unwrap();
    assert_eq!(outcome.workloads[0].verdict, Verdict::LeftAlone(Reason::NotInjected));
}
