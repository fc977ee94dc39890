// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Reviews in the mode in which a pod that cannot get its sidecar may not start.

use interceptor_inject::Plain;

use super::*;

fn options() -> Plain {
    Plain {
        envoy_image: "example.org/envoy:1.40".to_owned(),
        envoy_config: "envoy".to_owned(),
        image: None,
        native_sidecars: false,
        any_runtime: false,
        selinux_type: None,
        kinds: Vec::new(),
    }
}

/// Somebody's pod.
fn bare() -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": { "generateName": "web-7d9c5b-", "labels": {}, "annotations": {} },
        "spec": { "containers": [{ "name": "web", "image": "shop/web" }] },
    })
}

fn asked(asked: &Value) -> (Decision, Value) {
    let (reviewed, answer) = reviewed_by(&Work::Plain(options()), asked);
    (reviewed.decision, answer["response"].clone())
}

/// Code and message of the denial.
fn denied(request: &Value) -> (u16, String) {
    let (decision, response) = asked(request);
    assert!(matches!(decision, Decision::Denied { .. }), "{decision:?}");
    assert_eq!(response["allowed"], false);
    assert!(
        response.get("patch").is_none() && response.get("warnings").is_none(),
        "{response}"
    );
    let message = response["status"]["message"].as_str().unwrap().to_owned();
    assert!(message.starts_with("interceptor: "), "{message}");
    (response["status"]["code"].as_u64().unwrap().try_into().unwrap(), message)
}

#[test]
fn a_pod_gets_what_the_command_gives_it_and_nothing_in_the_second_round() {
    let pod = bare();
    let (decision, response) = asked(&asking("v1", &pod));
    assert_eq!(decision, Decision::Changed { done: "injected", warnings: vec![] });
    let patch: ByteString = serde_json::from_value(response["patch"].clone()).unwrap();
    let patch: json_patch::Patch = serde_json::from_slice(&patch.0).unwrap();
    let mut new = pod.clone();
    json_patch::patch(&mut new, &patch).unwrap();
    assert_eq!(new, options().apply(&pod).unwrap().manifest);
    assert_eq!(new["spec"]["containers"][1]["name"], "interceptor-envoy");
    assert_eq!(asked(&asking("v1", &new)).0, Decision::Unchanged);
}

#[rstest]
#[case::label("labels")]
#[case::annotation("annotations")]
fn a_pod_that_does_not_want_an_envoy_starts_without_one(#[case] field: &str) {
    let mut pod = bare();
    pod["metadata"][field]["interceptor.dev/inject"] = "false".into();
    let (decision, response) = asked(&asking("v1", &pod));
    assert!(
        matches!(decision, Decision::LeftAlone(Reason::NotSelected { .. })),
        "{decision:?}"
    );
    assert_eq!((&response["allowed"], response.get("patch")), (&json!(true), None));
}

/// The pod itself names no namespace.
#[test]
fn the_namespace_of_the_review_counts() {
    let mut request = asking("v1", &bare());
    request["request"]["namespace"] = "kube-system".into();
    let (decision, response) = asked(&request);
    assert!(
        matches!(decision, Decision::LeftAlone(Reason::NotSelected { .. })),
        "{decision:?}"
    );
    assert_eq!(response["allowed"], true);
}

#[rstest]
#[case::istios("sidecar.istio.io/status", "{}", &["sidecar.istio.io/status", "--mode rewrite"])]
#[case::bad_range(
    "traffic.sidecar.istio.io/includeOutboundIPRanges",
    "10.0.0.0/33",
    &["traffic.sidecar.istio.io/includeOutboundIPRanges is \"10.0.0.0/33\""]
)]
#[case::bad_port(
    "traffic.sidecar.istio.io/excludeInboundPorts",
    "http",
    &["traffic.sidecar.istio.io/excludeInboundPorts is \"http\""]
)]
#[case::tproxy("sidecar.istio.io/interceptionMode", "TPROXY", &["sidecar.istio.io/interceptionMode", "remove it"])]
fn a_denial_names_the_annotation_and_its_value(#[case] name: &str, #[case] value: &str, #[case] named: &[&str]) {
    let mut pod = bare();
    pod["metadata"]["annotations"][name] = value.into();
    let (code, message) = denied(&asking("v1", &pod));
    assert_eq!(code, 400);
    for part in named {
        assert!(message.contains(part), "{message}");
    }
}

#[test]
fn a_denial_says_how_the_pod_starts_all_the_same() {
    let mut pod = bare();
    pod["spec"]["hostUsers"] = false.into();
    let (code, message) = denied(&asking("v1beta1", &pod));
    assert_eq!(code, 400);
    assert!(
        message.contains("user namespace") && message.contains("interceptor.dev/inject: \"false\""),
        "{message}"
    );
}

#[rstest]
#[case::another_object(json!({ "apiVersion": "apps/v1", "kind": "Deployment" }), "no pod")]
#[case::nothing(Value::Null, "no pod")]
#[case::a_wrong_type(json!({ "apiVersion": "v1", "kind": "Pod", "spec": { "containers": 1 } }), "spec.containers")]
fn what_cannot_be_read_is_denied(#[case] object: Value, #[case] why: &str) {
    let (code, message) = denied(&asking("v1", &object));
    assert_eq!(code, 400);
    assert!(message.contains(why), "{message}");
}
