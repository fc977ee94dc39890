// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The answer: allowed, with a JSON patch (RFC 6902) if something changes; or denied, with the reason.

use k8s_openapi::ByteString;
use serde_json::{Value, json};

use super::{decision::Decision, request::Review};

/// The review with its answer. The API server refuses a patch without its type, and a type without a patch.
pub(super) fn write(review: &Review, decision: &Decision, new: Option<&Value>) -> Vec<u8> {
    let denial = decision.denial();
    let mut response = json!({ "uid": review.request.uid, "allowed": denial.is_none() });
    if let Some((message, code)) = denial {
        response["status"] = json!({ "message": message, "code": code });
    }
    let warnings = decision.warnings();
    if !warnings.is_empty() {
        response["warnings"] = warnings.into();
    }
    if let Some(new) = new {
        let patch = json_patch::diff(review.request.object(), new);
        // Both are plain data, which is always written.
        response["patch"] = json!(ByteString(serde_json::to_vec(&patch).unwrap_or_default()));
        response["patchType"] = "JSONPatch".into();
    }
    let answer = json!({ "apiVersion": review.api_version, "kind": "AdmissionReview", "response": response });
    answer.to_string().into_bytes()
}
