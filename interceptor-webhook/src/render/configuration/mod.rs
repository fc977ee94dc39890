// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The `MutatingWebhookConfiguration`.
//!
//! * The API server runs configurations in the order of their names
//!   ([`mutating_webhook_manager.go`](https://github.com/kubernetes/apiserver/blob/v0.34.0/pkg/admission/configuration/mutating_webhook_manager.go)),
//!   so the name is behind `istio-…`. Where it is not, `IfNeeded` brings a second round. A webhook that was not called
//!   in the first round is not called in the second. So no selector waits for what Istio's webhook adds.
//! * istiod writes its own authority into every webhook whose name ends in `sidecar-injector.istio.io` if the label
//!   `istio.io/rev` is there
//!   ([`webhookpatch.go`](https://github.com/istio/istio/blob/1.27.0/pkg/webhooks/webhookpatch.go)). Neither is here.

mod selection;

use k8s_openapi::ByteString;
use serde_json::{Value, json};

use self::selection::{Selection, expression};
use crate::{
    args::{ConfigurationArgs, Mode},
    certificate::DOMAIN,
};

/// Where nobody injects.
const SYSTEM: [&str; 4] = ["kube-node-lease", "kube-public", "kube-system", "local-path-storage"];

/// The manifest. Without an authority, the webhook has to write its own.
pub(super) fn manifest(args: &ConfigurationArgs, authority: Option<&str>) -> Value {
    let ConfigurationArgs { namespace, mode, service, port, revision, ca_file: _ } = args;
    let service = service.as_deref().unwrap_or_else(|| mode.service());
    let mut client = json!({
        "service": { "name": service, "namespace": namespace, "path": mode.path(), "port": port },
    });
    if let Some(authority) = authority {
        client["caBundle"] = json!(ByteString(authority.into()));
    }
    let Kind { verb, selections, failure_policy, patience } = Kind::new(*mode, revision.as_deref());
    let webhooks: Vec<Value> = selections
        .into_iter()
        .map(|selection| {
            let Selection { prefix, mut namespaces, pods } = selection;
            let left_out: Vec<&str> = SYSTEM.into_iter().chain([namespace.as_str()]).collect();
            namespaces.push(expression("kubernetes.io/metadata.name", "NotIn", &left_out));
            json!({
                "name": format!("{prefix}{verb}.{DOMAIN}"),
                "admissionReviewVersions": ["v1", "v1beta1"],
                "clientConfig": client,
                "failurePolicy": failure_policy,
                "matchPolicy": "Equivalent",
                "namespaceSelector": { "matchExpressions": namespaces },
                "objectSelector": { "matchExpressions": pods },
                "reinvocationPolicy": "IfNeeded",
                "rules": [{
                    "apiGroups": [""],
                    "apiVersions": ["v1"],
                    "operations": ["CREATE"],
                    "resources": ["pods"],
                    "scope": "Namespaced",
                }],
                "sideEffects": "None",
                "timeoutSeconds": patience,
            })
        })
        .collect();
    let name = mode.configuration();
    let name = revision
        .as_ref()
        .map_or_else(|| name.to_owned(), |revision| format!("{name}-{revision}"));
    json!({
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "MutatingWebhookConfiguration",
        "metadata": { "name": name, "labels": { "app.kubernetes.io/name": mode.service() } },
        "webhooks": webhooks,
    })
}

/// What differs between the modes.
struct Kind {
    verb: &'static str,
    selections: Vec<Selection>,
    /// Of a pod for which the webhook does not answer. One that Istio injected is intercepted all the same; another
    /// would go around its mesh.
    failure_policy: &'static str,
    /// Seconds until the webhook has to answer.
    patience: u32,
}

impl Kind {
    fn new(mode: Mode, revision: Option<&str>) -> Self {
        match mode {
            Mode::Rewrite => Self {
                verb: "rewrite",
                selections: Selection::of_istio(revision),
                failure_policy: "Ignore",
                patience: 5,
            },
            Mode::Plain => Self {
                verb: "plain",
                selections: Selection::of_plain(),
                failure_policy: "Fail",
                patience: 10,
            },
        }
    }
}

#[cfg(test)]
mod tests;
