// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Everything here that reads foreign input, for the fuzzers in the member `fuzz`. It has no part in the program, and
//! does no I/O.

use interceptor_inject::Rewrite;
use k8s_openapi::ByteString;
use serde_json::Value;

use crate::review::{Decision, review};

/// An `AdmissionReview`. The patch makes of the pod what the rewrite makes of it, and then nothing is left to do.
pub fn admission(input: &[u8]) {
    let options = Rewrite { tproxy: true, any_runtime: true, ..Rewrite::default() };
    let change = |pod: &Value| options.apply(pod);
    let Ok(reviewed) = review(input, &change) else { return };
    let answer: Value = serde_json::from_slice(&reviewed.body).expect("the answer is JSON");
    assert_eq!(answer["response"]["allowed"], true);
    let Decision::Rewritten { .. } = reviewed.decision else {
        assert!(answer["response"].get("patch").is_none());
        return;
    };
    let patch: ByteString = serde_json::from_value(answer["response"]["patch"].clone()).expect("the patch is base64");
    let patch: json_patch::Patch = serde_json::from_slice(&patch.0).expect("the patch is JSON");
    // Fields that mean nothing are not read by the webhook, and may be wrong.
    let Ok(mut asked) = serde_json::from_slice::<Value>(input) else { return };
    let expected = options
        .apply(&asked["request"]["object"])
        .expect("the pod was rewritten")
        .manifest;
    json_patch::patch(&mut asked["request"]["object"], &patch).expect("the patch applies");
    assert_eq!(asked["request"]["object"], expected);
    let again = review(asked.to_string().as_bytes(), &change).expect("the review stays one");
    assert_eq!(again.decision, Decision::Unchanged);
}
