// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The mode in which pods get an Envoy without Istio: what cannot get one may not start.

use interceptor_inject::Plain;
use serde_json::{Value, json};

use crate::{lab::Webhook, protocol::patched, reviews};

const IMAGE: &str = "registry.example/interceptor:0.1";
const ENVOY: &str = "registry.example/envoy:1.40";

fn start() -> Webhook {
    Webhook::start_with(&["--mode", "plain", "--envoy-image", ENVOY, "--envoy-config", "envoy", "--image", IMAGE])
}

fn options() -> Plain {
    Plain {
        envoy_image: ENVOY.to_owned(),
        envoy_config: "envoy".to_owned(),
        image: Some(IMAGE.to_owned()),
        native_sidecars: false,
        any_runtime: false,
        selinux_type: None,
        kinds: Vec::new(),
    }
}

/// Somebody's pod.
fn pod() -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": { "generateName": "hello-7d9c5b-", "labels": { "interceptor.dev/inject": "true" } },
        "spec": { "containers": [{ "name": "hello", "image": "example.org/hello:1" }] },
    })
}

#[test]
fn a_pod_gets_the_envoy_that_the_command_gives_it() {
    let webhook = start();
    let pod = pod();
    let new = patched(&pod, &webhook.review_plain(&reviews::of("v1", &pod)));
    assert_eq!(new, options().apply(&pod).expect("a pod").manifest);
    assert_eq!(new["spec"]["containers"][1]["image"], ENVOY);
    let again = webhook.review_plain(&reviews::of("v1", &new));
    assert_eq!(
        again["response"],
        json!({ "uid": reviews::UID, "allowed": true }),
        "the second round"
    );
}

#[test]
fn a_pod_that_cannot_get_one_is_denied_and_told_why() {
    let webhook = start();
    let mut of_another_kernel = pod();
    of_another_kernel["spec"]["runtimeClassName"] = "gvisor".into();
    let mut bad = pod();
    bad["metadata"]["annotations"] = json!({ "traffic.sidecar.istio.io/includeOutboundIPRanges": "everything" });
    for (pod, named) in [
        (&of_another_kernel, ["gvisor", "interceptor.dev/inject"]),
        (&bad, ["everything", "annotations"]),
        (&reviews::pod(), ["sidecar.istio.io/status", "--mode rewrite"]),
        (
            &json!({ "apiVersion": "apps/v1", "kind": "Deployment" }),
            ["no pod", "rules of the webhook"],
        ),
    ] {
        let answer = webhook.review_plain(&reviews::of("v1", pod));
        let response = &answer["response"];
        assert_eq!(
            (&response["allowed"], &response["uid"]),
            (&json!(false), &json!(reviews::UID)),
            "{answer}"
        );
        assert_eq!(response["status"]["code"], 400);
        let message = response["status"]["message"].as_str().expect("a message");
        assert!(named.iter().all(|part| message.contains(part)), "{message}");
    }
    let metrics = webhook.get("/metrics").body;
    for line in [
        "interceptor_webhook_reviews_total{outcome=\"denied\"} 4",
        "interceptor_webhook_reviews_total{outcome=\"injected\"} 0",
    ] {
        assert!(metrics.lines().any(|found| found == line), "{line} is not in\n{metrics}");
    }
}

/// A status other than 200 keeps the pod from starting, by the failure policy of the configuration.
#[test]
fn a_configuration_of_the_other_mode_gets_no_answer() {
    let body = reviews::of("v1", &pod()).to_string();
    let json = [("content-type", "application/json")];
    assert_eq!(start().connect().ask("POST", "/inject", &json, &body).status, 404);
    assert_eq!(Webhook::start().connect().ask("POST", "/plain", &json, &body).status, 404);
}
