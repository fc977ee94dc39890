// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What the API server is told.

use interceptor_inject::Rewrite;
use rstest::rstest;
use serde_json::{Value, json};

use crate::{lab::Webhook, reviews};

const IMAGE: &str = "registry.example/interceptor:0.1";

/// A pod after the patch of an answer.
pub(crate) fn patched(pod: &Value, answer: &Value) -> Value {
    assert_eq!(answer["response"]["patchType"], "JSONPatch", "{answer}");
    let patch: k8s_openapi::ByteString =
        serde_json::from_value(answer["response"]["patch"].clone()).expect("a patch in base64");
    let mut patched = pod.clone();
    let patch: json_patch::Patch = serde_json::from_slice(&patch.0).expect("a patch");
    json_patch::patch(&mut patched, &patch).expect("the patch applies");
    patched
}

#[rstest]
#[case("v1")]
#[case("v1beta1")]
fn a_pod_of_istio_becomes_what_the_command_makes_of_it(#[case] version: &str) {
    let webhook = Webhook::start_with(&["--image", IMAGE]);
    let pod = reviews::pod();
    let answer = webhook.review(&reviews::of(version, &pod));
    assert_eq!(answer["apiVersion"], format!("admission.k8s.io/{version}"));
    assert_eq!(answer["kind"], "AdmissionReview");
    assert_eq!(
        (&answer["response"]["uid"], &answer["response"]["allowed"]),
        (&json!(reviews::UID), &json!(true))
    );

    let options = Rewrite { image: Some(IMAGE.to_owned()), ..Rewrite::default() };
    let new = patched(&pod, &answer);
    assert_eq!(new, options.apply(&pod).expect("a pod").manifest);
    assert_eq!(new["spec"]["initContainers"][0]["image"], IMAGE);

    let again = webhook.review(&reviews::of(version, &new));
    assert_eq!(
        again["response"],
        json!({ "uid": reviews::UID, "allowed": true }),
        "the second round"
    );
}

#[test]
fn the_flags_of_the_command_are_those_of_the_webhook() {
    let mut pod = reviews::pod();
    pod["spec"]["runtimeClassName"] = "runc".into();
    let strict = Webhook::start();
    let answer = strict.review(&reviews::of("v1", &pod));
    let warning = answer["response"]["warnings"][0].as_str().expect("a warning");
    assert!(warning.contains("left alone") && warning.contains("--any-runtime"), "{warning}");
    assert!(answer["response"].get("patch").is_none(), "{answer}");

    let lax = Webhook::start_with(&["--any-runtime", "--selinux-type", "spc_t"]);
    let new = patched(&pod, &lax.review(&reviews::of("v1", &pod)));
    assert_eq!(
        new["spec"]["initContainers"][0]["securityContext"]["seLinuxOptions"]["type"],
        "spc_t"
    );
}

#[test]
fn with_the_cni_plugin_the_container_only_checks() {
    let webhook = Webhook::start_with(&["--data-path", "cni"]);
    let mut pod = reviews::pod();
    pod["spec"]["initContainers"][1]["args"] = json!(["proxy", "sidecar"]);
    pod["spec"]["initContainers"][1]["securityContext"] = json!({ "runAsUser": 1337, "runAsGroup": 1337 });
    let new = patched(&pod, &webhook.review(&reviews::of("v1", &pod)));
    assert_eq!(new["spec"]["initContainers"][0]["name"], "istio-validation");
    assert_eq!(new["spec"]["volumes"], pod["spec"]["volumes"]);
}

#[rstest]
#[case::get("GET", "/inject", "application/json", 405)]
#[case::put("PUT", "/inject", "application/json", 405)]
#[case::elsewhere("POST", "/", "application/json", 404)]
#[case::another_type("POST", "/inject", "application/yaml", 415)]
#[case::almost_the_type("POST", "/inject", "application/jsonp", 415)]
#[case::a_parameter("POST", "/inject", "application/json; charset=utf-8", 200)]
#[case::pairs_in_the_path("POST", "/inject/cluster/a/net/b", "application/json", 200)]
fn requests_are_taken_by_method_path_and_type(
    #[case] method: &str,
    #[case] path: &str,
    #[case] content_type: &str,
    #[case] status: u16,
) {
    let webhook = Webhook::start();
    let body = reviews::of("v1", &reviews::pod()).to_string();
    let answer = webhook.connect().ask(method, path, &[("content-type", content_type)], &body);
    assert_eq!(answer.status, status, "{answer:?}");
    webhook.expect_alive();
}

#[rstest]
#[case::nothing("", 400)]
#[case::garbage("garbage", 400)]
#[case::no_request(r#"{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview"}"#, 400)]
#[case::a_pod(r#"{"apiVersion":"v1","kind":"Pod"}"#, 400)]
fn what_is_no_review_is_refused(#[case] body: &str, #[case] status: u16) {
    let webhook = Webhook::start();
    let answer = webhook.post("application/json", body);
    assert_eq!(answer.status, status, "{answer:?}");
    webhook.expect_alive();
}
