// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Everything here that reads foreign input, for the fuzzers in the member `fuzz`. It has no part in the program, and
//! does no I/O.

use interceptor_inject::{Plain, Rewrite};
use k8s_openapi::ByteString;
use serde_json::Value;

use crate::{
    review::{Decision, review},
    work::{OnFault, Work},
};

/// An `AdmissionReview`, in both modes.
pub fn admission(input: &[u8]) {
    check(
        input,
        &Work::Rewrite(Rewrite { tproxy: true, any_runtime: true, ..Rewrite::default() }),
    );
    check(
        input,
        &Work::Plain(Plain {
            envoy_image: "envoy".to_owned(),
            envoy_config: "envoy".to_owned(),
            image: None,
            native_sidecars: input.len().is_multiple_of(2),
            any_runtime: true,
            selinux_type: None,
            kinds: Vec::new(),
        }),
    );
}

/// The patch makes of the pod what the command makes of it, and then nothing is left to do.
fn check(input: &[u8], work: &Work) {
    let Ok(reviewed) = review(input, work) else { return };
    let answer: Value = serde_json::from_slice(&reviewed.body).expect("the answer is JSON");
    let response = &answer["response"];
    let is_denied = matches!(reviewed.decision, Decision::Denied { .. });
    assert_eq!(response["allowed"], !is_denied);
    assert!(!is_denied || work.on_fault() == OnFault::Deny);
    let Decision::Changed { .. } = reviewed.decision else {
        assert!(response.get("patch").is_none());
        return;
    };
    let patch: ByteString = serde_json::from_value(response["patch"].clone()).expect("the patch is base64");
    let patch: json_patch::Patch = serde_json::from_slice(&patch.0).expect("the patch is JSON");
    // Fields that mean nothing are not read by the webhook, and may be wrong.
    let Ok(mut asked) = serde_json::from_slice::<Value>(input) else { return };
    let namespace = asked["request"]["namespace"].as_str().unwrap_or_default();
    let expected = work.apply(&asked["request"]["object"], namespace);
    let expected = expected.expect("the pod was changed").manifest;
    json_patch::patch(&mut asked["request"]["object"], &patch).expect("the patch applies");
    assert_eq!(asked["request"]["object"], expected);
    let again = review(asked.to_string().as_bytes(), work).expect("the review stays one");
    assert_eq!(again.decision, Decision::Unchanged);
}
