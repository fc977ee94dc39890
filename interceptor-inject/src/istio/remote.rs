// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Has the injector of a cluster decide and inject, as `istioctl kube-inject` does: each pod template is put to it as a
//! pod that is created, and its patch is applied. How it is reached is up to the caller.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use super::{fault::InjectFault, inject::rewritten};
use crate::{
    InjectError, Outcome,
    kinds::Kind,
    malformed::Object,
    outcome::Reason,
    rewrite::Rewrite,
    selection::{self, Keys, Policy},
    walk::{Changed, Place, Stop, walk},
};

/// The answer has to name it.
const UID: &str = "interceptor-inject";

/// Istio's injector of a cluster, and what becomes of the pods afterwards.
pub struct Remote<'a> {
    /// Asks the injector: takes an `AdmissionReview`, and returns the answer to it. If the request has no namespace, it
    /// is that of the caller. The error says what failed.
    pub ask: &'a dyn Fn(&Value) -> Result<Value, String>,
    /// How `istio-init` is rewritten. Without it, Istio's container stays.
    pub rewrite: Option<Rewrite>,
    /// Kinds that make pods, besides those of Kubernetes.
    pub kinds: Vec<Kind>,
}

impl Remote<'_> {
    /// Injects all pods of a manifest.
    ///
    /// # Errors
    /// If the injector refuses a pod or does not answer as one, or if the manifest is none that Kubernetes takes, as
    /// far as it was looked at.
    pub fn apply(&self, manifest: &Value) -> Result<Outcome, InjectError> {
        walk(manifest, &self.kinds, &|place| {
            self.inject(place).map_err(|stop| match stop {
                Stop::LeftAlone(reason) => Stop::LeftAlone(reason),
                Stop::Refused(fault) => Stop::Refused(InjectError { workload: place.title(), fault }),
            })
        })
    }

    fn inject(&self, place: &Place<'_>) -> Result<Changed, Stop<InjectFault>> {
        let original = place.template.object()?;
        let failed = |reason: String| Stop::Refused(InjectFault::Injector { reason });
        let mut pod = json!({ "apiVersion": "v1", "kind": "Pod" });
        for (name, value) in original {
            pod[name] = value.clone();
        }
        let own = place.template.descend(&["metadata", "namespace"])?;
        let namespace = own.map(|at| at.text()).transpose()?.unwrap_or(&place.namespace);
        let answer = (self.ask)(&review(&pod, namespace)).map_err(failed)?;
        let Some(patch) = patch(&answer).map_err(failed)? else {
            // What the pod itself says is the better reason.
            selection::selected(&Policy::of_command(Keys::ISTIO), place, "")?;
            return Err(Reason::InjectorPassed.into());
        };
        json_patch::patch(&mut pod, &patch).map_err(|error| failed(format!("its patch does not apply: {error}")))?;
        let Value::Object(pod) = pod else {
            return Err(failed("its patch leaves no pod".to_owned()));
        };
        let injected = Changed { template: as_written(pod, original), warnings: Vec::new() };
        rewritten(self.rewrite.as_ref(), &place.template.path, injected)
    }
}

/// As an API server asks.
fn review(pod: &Value, namespace: &str) -> Value {
    let mut request = json!({
        "uid": UID,
        "kind": { "group": "", "version": "v1", "kind": "Pod" },
        "resource": { "group": "", "version": "v1", "resource": "pods" },
        "operation": "CREATE",
        "object": pod,
    });
    if !namespace.is_empty() {
        request["namespace"] = namespace.into();
    }
    json!({ "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request })
}

/// The patch of an answer; `None` if the pod is to stay as it is.
fn patch(answer: &Value) -> Result<Option<json_patch::Patch>, String> {
    let response = &answer["response"];
    if response["uid"] != UID {
        return Err("it answers another question".to_owned());
    }
    if response["allowed"] != true {
        let message = response["status"]["message"].as_str().unwrap_or("it does not say why");
        return Err(format!("it refuses the pod: {message}"));
    }
    let Some(patch) = response.get("patch").filter(|patch| !patch.is_null()) else {
        return Ok(None);
    };
    let wrong = |error: &dyn std::fmt::Display| format!("its patch is none: {error}");
    let patch = STANDARD
        .decode(patch.as_str().unwrap_or_default())
        .map_err(|error| wrong(&error))?;
    let patch: json_patch::Patch = serde_json::from_slice(&patch).map_err(|error| wrong(&error))?;
    Ok(Some(patch).filter(|patch| !patch.0.is_empty()))
}

/// The pod without what only its way through typed structures has added.
fn as_written(mut pod: Object, original: &Object) -> Object {
    pod.retain(|name, _value| original.contains_key(name) || ["metadata", "spec"].contains(&name.as_str()));
    if let Some(Value::Object(metadata)) = pod.get_mut("metadata") {
        metadata.retain(|_name, value| !value.is_null());
    }
    pod
}
