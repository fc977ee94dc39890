// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Reviews and their answers.

use interceptor_inject::{Malformed, Reason, Rewrite};
use k8s_openapi::ByteString;
use rstest::rstest;
use serde_json::{Value, json};

use super::*;

mod plain;

/// A pod as the API server shows it after Istio's webhook: without a name, and without a namespace.
fn pod() -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": { "generateName": "web-7d9c5b-" },
        "spec": {
            "initContainers": [{
                "name": "istio-init",
                "image": "docker.io/istio/proxyv2:1.29.0",
                "args": ["istio-iptables", "-p", "15001", "-z", "15006", "-u", "1337", "-m", "REDIRECT", "-i", "*"],
            }],
            "containers": [{ "name": "web", "image": "shop/web" }],
        },
    })
}

fn pod_with(pointer: &str, value: Value) -> Value {
    let mut pod = pod();
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    pod.pointer_mut(parent).unwrap()[name] = value;
    pod
}

fn asking(version: &str, object: &Value) -> Value {
    json!({
        "kind": "AdmissionReview",
        "apiVersion": format!("admission.k8s.io/{version}"),
        "request": {
            "uid": "705ab4f5-6393-11e8-b7cc-42010a800002",
            "kind": { "group": "", "version": "v1", "kind": "Pod" },
            "resource": { "group": "", "version": "v1", "resource": "pods" },
            "namespace": "shop",
            "operation": "CREATE",
            "object": object,
            "oldObject": null,
            "dryRun": false,
            "options": null,
        },
    })
}

fn rewrite(pod: &Value) -> Result<Outcome, Malformed> {
    Rewrite::default().apply(pod)
}

fn rewriting() -> Work {
    Work::Rewrite(Rewrite::default())
}

fn reviewed(asked: &Value) -> (Reviewed, Value) {
    reviewed_by(&rewriting(), asked)
}

fn reviewed_by(work: &Work, asked: &Value) -> (Reviewed, Value) {
    let reviewed = review(asked.to_string().as_bytes(), work).unwrap();
    let answer = serde_json::from_slice(&reviewed.body).unwrap();
    (reviewed, answer)
}

/// The pod after the patch.
fn patched(pod: &Value) -> Value {
    let (_, answer) = reviewed(&asking("v1", pod));
    assert_eq!(answer["response"]["patchType"], "JSONPatch", "{answer}");
    let patch: ByteString = serde_json::from_value(answer["response"]["patch"].clone()).unwrap();
    let mut patched = pod.clone();
    let patch: json_patch::Patch = serde_json::from_slice(&patch.0).unwrap();
    json_patch::patch(&mut patched, &patch).unwrap();
    patched
}

/// The answer to a pod that stays; it has no patch.
fn left_alone(asked: &Value) -> (Decision, Value) {
    let (reviewed, answer) = reviewed(asked);
    let response = answer["response"].as_object().unwrap();
    assert_eq!(response["allowed"], true);
    assert!(
        !response.contains_key("patch") && !response.contains_key("patchType"),
        "{answer}"
    );
    (reviewed.decision, answer)
}

#[rstest]
#[case("v1")]
#[case("v1beta1")]
fn the_answer_is_in_the_version_that_was_asked(#[case] version: &str) {
    let (reviewed, answer) = reviewed(&asking(version, &pod()));
    assert_eq!(answer["apiVersion"], format!("admission.k8s.io/{version}"));
    assert_eq!(answer["kind"], "AdmissionReview");
    assert_eq!(answer["response"]["uid"], "705ab4f5-6393-11e8-b7cc-42010a800002");
    assert_eq!(answer["response"]["allowed"], true);
    assert_eq!(reviewed.title, "Pod shop/web-7d9c5b-");
}

#[test]
fn the_patch_does_what_the_rewrite_does() {
    assert_eq!(patched(&pod()), rewrite(&pod()).unwrap().manifest);
}

#[test]
fn the_patch_names_nothing_that_stays() {
    let (_, answer) = reviewed(&asking("v1", &pod()));
    let patch: ByteString = serde_json::from_value(answer["response"]["patch"].clone()).unwrap();
    let patch: Vec<Value> = serde_json::from_slice(&patch.0).unwrap();
    let mut paths: Vec<_> = patch.iter().map(|operation| operation["path"].as_str().unwrap()).collect();
    paths.sort_unstable();
    let of_container = ["env", "image", "securityContext", "volumeMounts"];
    let mut expected = vec!["/metadata/annotations".to_owned()];
    expected.extend(of_container.map(|field| format!("/spec/initContainers/0/{field}")));
    expected.push("/spec/volumes".to_owned());
    assert_eq!(paths, expected);
}

#[test]
fn keys_with_slashes_and_tildes_are_patched() {
    let pod = pod_with(
        "/metadata/annotations",
        json!({ "a/b~c": "d", "sidecar.istio.io/status": "{}" }),
    );
    let new = patched(&pod);
    assert_eq!(new, rewrite(&pod).unwrap().manifest);
    assert_eq!(new["metadata"]["annotations"]["a/b~c"], "d");
}

#[test]
fn three_thousand_variables_are_no_reason_to_refuse() {
    let variables: Vec<_> = (0..3000).map(|n| json!({ "name": format!("V{n}"), "value": "v" })).collect();
    let pod = pod_with("/spec/initContainers/0/env", variables.into());
    assert_eq!(patched(&pod), rewrite(&pod).unwrap().manifest);
}

#[test]
fn the_second_round_has_nothing_to_do() {
    let new = patched(&pod());
    let (decision, _) = left_alone(&asking("v1", &new));
    assert_eq!(decision, Decision::Unchanged);
}

/// As istiod merges its template over the pod in a second round: image, arguments and capabilities are its own again.
#[test]
fn a_container_that_istio_has_merged_over_is_rewritten_again() {
    let mut half = patched(&pod());
    half["spec"]["initContainers"][0]["image"] = "docker.io/istio/proxyv2:1.29.0".into();
    half["spec"]["initContainers"][0]["securityContext"]["capabilities"] =
        json!({ "add": ["NET_ADMIN", "NET_RAW"], "drop": ["ALL"] });
    let (first, again) = (patched(&pod()), patched(&half));
    assert_eq!(again["spec"], first["spec"]);
}

#[test]
fn a_pod_that_istio_did_not_inject_stays_without_a_word() {
    let (decision, answer) = left_alone(&asking("v1", &pod_with("/spec/initContainers", json!([]))));
    assert_eq!(decision, Decision::LeftAlone(Reason::NotInjected));
    assert_eq!(answer["response"].get("warnings"), None);
}

#[rstest]
#[case::label("labels", "label")]
#[case::annotation("annotations", "annotation")]
fn a_pod_that_has_opted_out_stays_without_a_word(#[case] field: &str, #[case] by: &'static str) {
    let pod = pod_with(&format!("/metadata/{field}"), json!({ "interceptor.dev/rewrite": "false" }));
    let (decision, answer) = left_alone(&asking("v1", &pod));
    assert_eq!(decision, Decision::LeftAlone(Reason::OptedOut { by }));
    assert_eq!(answer["response"].get("warnings"), None);
}

#[test]
fn a_pod_that_cannot_be_rewritten_stays_with_a_warning() {
    let (_, answer) = left_alone(&asking("v1", &pod_with("/spec/hostUsers", json!(false))));
    let warning = answer["response"]["warnings"][0].as_str().unwrap();
    assert!(
        warning.starts_with("interceptor: left alone, because it has a user namespace"),
        "{warning}"
    );
}

#[test]
fn warnings_have_no_control_characters() {
    let pod = pod_with("/spec/initContainers/0/command", json!(["a\r\nX-Header: b"]));
    let (_, answer) = left_alone(&asking("v1", &pod));
    let warning = answer["response"]["warnings"][0].as_str().unwrap();
    assert!(warning.contains("X-Header") && !warning.contains(char::is_control), "{warning}");
}

#[test]
fn a_pod_that_kubernetes_will_refuse_is_left_to_it() {
    let (decision, answer) = left_alone(&asking("v1", &pod_with("/spec/initContainers/0/args", json!([1]))));
    assert!(matches!(decision, Decision::Failed(_)));
    let warning = answer["response"]["warnings"][0].as_str().unwrap();
    assert!(warning.contains("spec.initContainers[0].args[0]"), "{warning}");
}

#[rstest]
#[case::deployment(json!({ "apiVersion": "apps/v1", "kind": "Deployment" }))]
#[case::nothing(Value::Null)]
#[case::no_object(json!(["Pod"]))]
fn what_is_no_pod_is_allowed_with_a_warning(#[case] object: Value) {
    let (decision, answer) = left_alone(&asking("v1", &object));
    assert!(matches!(decision, Decision::Failed(_)));
    assert!(answer["response"]["warnings"][0].as_str().unwrap().contains("no pod"));
}

#[rstest]
#[case::update("operation", "UPDATE")]
#[case::part("subResource", "ephemeralcontainers")]
fn only_the_creation_of_a_pod_is_changed(#[case] field: &str, #[case] value: &str) {
    let mut asked = asking("v1", &pod());
    asked["request"][field] = value.into();
    assert_eq!(left_alone(&asked).0, Decision::Unchanged);
}

#[rstest]
#[case::a_rewrite(OnFault::Allow, true)]
#[case::an_injection(OnFault::Deny, false)]
fn a_fault_of_ours_lets_a_pod_start_that_istio_intercepts_and_no_other(
    #[case] on_fault: OnFault,
    #[case] is_allowed: bool,
) {
    let broken = |_: &Value, _: &str| -> Result<Outcome, String> { panic!("a fault that was put here") };
    let change = Change { apply: &broken, on_fault, done: "rewritten" };
    let reviewed = review_by(asking("v1", &pod()).to_string().as_bytes(), &change).unwrap();
    let answer: Value = serde_json::from_slice(&reviewed.body).unwrap();
    let response = &answer["response"];
    assert_eq!(response["allowed"], is_allowed);
    assert!(response.get("patch").is_none());
    let said = if is_allowed {
        &response["warnings"][0]
    } else {
        &response["status"]["message"]
    };
    assert!(said.as_str().unwrap().contains("please report it"), "{answer}");
    assert_eq!(response["status"].get("code").is_some_and(|code| code == 500), !is_allowed);
}

#[rstest]
#[case::nothing("", "no body")]
#[case::garbage("garbage", "no AdmissionReview")]
#[case::broken_off(r#"{"kind":"AdmissionReview","#, "no AdmissionReview")]
#[case::without_a_request(r#"{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview"}"#, "no request")]
#[case::without_a_uid(
    r#"{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{"uid":"","operation":"CREATE"}}"#,
    "no uid"
)]
#[case::of_another_version(r#"{"apiVersion":"admission.k8s.io/v2","kind":"AdmissionReview"}"#, "its version")]
#[case::of_another_kind(r#"{"apiVersion":"v1","kind":"Pod"}"#, "its kind")]
fn what_is_no_review_is_refused(#[case] body: &str, #[case] why: &str) {
    let refused = review(body.as_bytes(), &rewriting()).unwrap_err().to_string();
    assert!(refused.contains(why), "{refused}");
}

#[test]
fn depth_and_number_of_values_are_bounded() {
    let deep = format!("{}{}", "[".repeat(1000), "]".repeat(1000));
    assert!(matches!(review(deep.as_bytes(), &rewriting()), Err(Refused::NoReview(_))));
    let many = format!("[{}0]", "0,".repeat(200_000));
    assert_eq!(review(many.as_bytes(), &rewriting()).unwrap_err(), Refused::TooManyValues);
}
