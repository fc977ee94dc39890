// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What the API server asks, as far as it is read. The versions `v1` and `v1beta1` have the same fields
//! ([`types.go`](https://github.com/kubernetes/api/blob/v0.34.0/admission/v1/types.go)).

use serde::Deserialize;
use serde_json::Value;

use super::refused::Refused;

const VERSIONS: [&str; 2] = ["admission.k8s.io/v1", "admission.k8s.io/v1beta1"];
const KIND: &str = "AdmissionReview";

/// A review that can be answered.
#[derive(Debug)]
pub(super) struct Review {
    /// The answer is in the same version.
    pub(super) api_version: String,
    pub(super) request: Request,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Envelope {
    api_version: String,
    kind: String,
    request: Option<Request>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Request {
    pub(super) uid: String,
    /// Pods often name none themselves.
    #[serde(default)]
    namespace: String,
    operation: String,
    /// Such as `ephemeralcontainers`.
    #[serde(default)]
    sub_resource: String,
    #[serde(default)]
    object: Value,
}

impl Review {
    /// Objects may be 128 deep, which is as deep as `serde_json` reads.
    pub(super) fn read(body: &[u8]) -> Result<Self, Refused> {
        let refused = |why: &str| Refused::NoReview(why.to_owned());
        let Envelope { api_version, kind, request } =
            serde_json::from_slice(body).map_err(|error| Refused::NoReview(error.to_string()))?;
        if kind != KIND {
            return Err(refused("its kind is another"));
        }
        if !VERSIONS.contains(&api_version.as_str()) {
            return Err(Refused::NoReview(format!("its version is none of {}", VERSIONS.join(", "))));
        }
        match request {
            None => Err(refused("it has no request")),
            Some(request) if request.uid.is_empty() => Err(refused("its request has no uid")),
            Some(request) => Ok(Self { api_version, request }),
        }
    }
}

impl Request {
    /// Whether an object is made. The init containers of one that is there cannot be changed.
    pub(super) fn is_creation(&self) -> bool {
        self.operation == "CREATE" && self.sub_resource.is_empty()
    }

    pub(super) fn namespace(&self) -> &str {
        &self.namespace
    }

    pub(super) fn object(&self) -> &Value {
        &self.object
    }

    pub(super) fn pod(&self) -> Option<&Value> {
        let text = |name| self.object.get(name).and_then(Value::as_str);
        let is_pod = (text("apiVersion"), text("kind")) == (Some("v1"), Some("Pod"));
        is_pod.then_some(&self.object)
    }

    /// Kind, namespace and name, as in `Pod shop/web-`. The name may be the beginning of one.
    pub(super) fn title(&self) -> String {
        let text = |pointer| self.object.pointer(pointer).and_then(Value::as_str);
        let kind = text("/kind").unwrap_or("object");
        let name = text("/metadata/name").or_else(|| text("/metadata/generateName"));
        let name = name.unwrap_or("without a name");
        if self.namespace.is_empty() {
            format!("{kind} {name}")
        } else {
            format!("{kind} {}/{name}", self.namespace)
        }
    }
}
