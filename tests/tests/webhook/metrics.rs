// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What is counted.

use serde_json::json;

use crate::{lab::Webhook, reviews};

#[test]
fn metrics_tell_what_became_of_pods_and_why() {
    let webhook = Webhook::start();
    let pod = reviews::pod();
    let mut opted_out = pod.clone();
    opted_out["metadata"]["labels"]["interceptor.dev/rewrite"] = "false".into();
    let mut malformed = pod.clone();
    malformed["spec"]["initContainers"][0]["args"] = json!([1]);
    for pod in [&pod, &pod, &opted_out, &malformed] {
        webhook.review(&reviews::of("v1", pod));
    }
    webhook.post("application/json", "garbage");

    let answer = webhook.get("/metrics");
    assert_eq!(answer.status, 200);
    for line in [
        "interceptor_webhook_reviews_total{outcome=\"rewritten\"} 2",
        "interceptor_webhook_reviews_total{outcome=\"unchanged\"} 0",
        "interceptor_webhook_reviews_total{outcome=\"left_alone\"} 1",
        "interceptor_webhook_reviews_total{outcome=\"failed\"} 1",
        "interceptor_webhook_left_alone_total{reason=\"opted_out\"} 1",
        "interceptor_webhook_left_alone_total{reason=\"host_network\"} 0",
        "interceptor_webhook_review_seconds_count 4",
        "interceptor_webhook_refused_requests_total{status=\"400\"} 1",
        "interceptor_webhook_certificate_failures_total 0",
        "interceptor_webhook_ca_bundle_patches_total 0",
        // 2100-12-31
        "interceptor_webhook_certificate_expiry_timestamp_seconds 4133894400.0",
        concat!("interceptor_webhook_build_info{version=\"", env!("CARGO_PKG_VERSION"), "\"} 1"),
        "# EOF",
    ] {
        assert!(
            answer.body.lines().any(|found| found == line),
            "{line} is not in\n{}",
            answer.body
        );
    }
}
