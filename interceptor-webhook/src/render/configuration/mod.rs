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

use k8s_openapi::ByteString;
use serde_json::{Value, json};

use crate::{args::ConfigurationArgs, certificate::DOMAIN};

const NAME: &str = "zz-interceptor";
/// Where nobody injects.
const SYSTEM: [&str; 4] = ["kube-node-lease", "kube-public", "kube-system", "local-path-storage"];

const REVISION: &str = "istio.io/rev";
const INJECTION: &str = "istio-injection";
const INJECT: &str = "sidecar.istio.io/inject";

/// The manifest. Without an authority, the webhook has to write its own.
pub(super) fn manifest(args: &ConfigurationArgs, authority: Option<&str>) -> Value {
    let ConfigurationArgs { namespace, service, port, revision, ca_file: _ } = args;
    let mut client = json!({
        "service": { "name": service, "namespace": namespace, "path": "/inject", "port": port },
    });
    if let Some(authority) = authority {
        client["caBundle"] = json!(ByteString(authority.into()));
    }
    let selections = revision
        .as_deref()
        .map_or_else(|| vec![Selection::everything()], Selection::of_revision);
    let webhooks: Vec<Value> = selections
        .into_iter()
        .map(|selection| {
            let Selection { prefix, mut namespaces, mut pods } = selection;
            let left_out: Vec<&str> = SYSTEM.into_iter().chain([namespace.as_str()]).collect();
            namespaces.push(expression("kubernetes.io/metadata.name", "NotIn", &left_out));
            pods.push(expression("interceptor.dev/rewrite", "NotIn", &["false"]));
            json!({
                "name": format!("{prefix}rewrite.{DOMAIN}"),
                "admissionReviewVersions": ["v1", "v1beta1"],
                "clientConfig": client,
                "failurePolicy": "Ignore",
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
                "timeoutSeconds": 5,
            })
        })
        .collect();
    let name = revision
        .as_ref()
        .map_or_else(|| NAME.to_owned(), |revision| format!("{NAME}-{revision}"));
    json!({
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "MutatingWebhookConfiguration",
        "metadata": { "name": name, "labels": { "app.kubernetes.io/name": "interceptor-webhook" } },
        "webhooks": webhooks,
    })
}

/// Which pods a webhook is called for.
struct Selection {
    prefix: &'static str,
    namespaces: Vec<Value>,
    pods: Vec<Value>,
}

impl Selection {
    fn everything() -> Self {
        Self { prefix: "", namespaces: vec![], pods: vec![] }
    }

    /// Those of a revision of Istio: no pod is in two of them
    /// ([`mutatingwebhook.yaml`](https://github.com/istio/istio/blob/1.27.0/manifests/charts/istio-control/istio-discovery/templates/mutatingwebhook.yaml)).
    fn of_revision(revision: &str) -> Vec<Self> {
        let is_absent = |label| expression(label, "DoesNotExist", &[]);
        let is_injected = || expression(INJECT, "NotIn", &["false"]);
        let mut all = vec![
            Self {
                prefix: "rev.namespace.",
                namespaces: vec![expression(REVISION, "In", &[revision]), is_absent(INJECTION)],
                pods: vec![is_injected()],
            },
            Self {
                prefix: "rev.object.",
                namespaces: vec![is_absent(REVISION), is_absent(INJECTION)],
                pods: vec![is_injected(), expression(REVISION, "In", &[revision])],
            },
        ];
        if revision == "default" {
            all.push(Self {
                prefix: "namespace.",
                namespaces: vec![expression(INJECTION, "In", &["enabled"])],
                pods: vec![is_injected()],
            });
            all.push(Self {
                prefix: "object.",
                namespaces: vec![is_absent(INJECTION), is_absent(REVISION)],
                pods: vec![expression(INJECT, "In", &["true"]), is_absent(REVISION)],
            });
        }
        all
    }
}

fn expression(key: &str, operator: &str, values: &[&str]) -> Value {
    if values.is_empty() {
        json!({ "key": key, "operator": operator })
    } else {
        json!({ "key": key, "operator": operator, "values": values })
    }
}

#[cfg(test)]
mod tests;
