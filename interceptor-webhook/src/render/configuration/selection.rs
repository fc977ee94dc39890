// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Which pods the API server sends, by the labels of a pod and of its namespace. It sees no annotations.

use serde_json::{Value, json};

const REVISION: &str = "istio.io/rev";
const INJECTION: &str = "istio-injection";
const INJECT: &str = "sidecar.istio.io/inject";

/// Of a namespace whose pods get an Envoy without Istio, with the value `enabled`.
const PLAIN_INJECTION: &str = "interceptor.dev/injection";
/// Of a pod that gets one (`true`), or does not (`false`).
const PLAIN_INJECT: &str = "interceptor.dev/inject";

/// Which pods a webhook is called for.
pub(super) struct Selection {
    pub(super) prefix: &'static str,
    pub(super) namespaces: Vec<Value>,
    pub(super) pods: Vec<Value>,
}

impl Selection {
    /// For the rewrite: all pods, or those of a revision of Istio.
    pub(super) fn of_istio(revision: Option<&str>) -> Vec<Self> {
        let mut all = revision.map_or_else(|| vec![Self::everything()], Self::of_revision);
        for selection in &mut all {
            selection.pods.push(expression("interceptor.dev/rewrite", "NotIn", &["false"]));
        }
        all
    }

    /// For the injection without Istio: a namespace that is labeled, and a pod that is, elsewhere. Istio's labels do
    /// not count, so that no pod gets two sidecars because of one label.
    pub(super) fn of_plain() -> Vec<Self> {
        vec![
            Self {
                prefix: "namespace.",
                namespaces: vec![expression(PLAIN_INJECTION, "In", &["enabled"])],
                pods: vec![expression(PLAIN_INJECT, "NotIn", &["false"])],
            },
            Self {
                prefix: "object.",
                namespaces: vec![expression(PLAIN_INJECTION, "DoesNotExist", &[])],
                pods: vec![expression(PLAIN_INJECT, "In", &["true"])],
            },
        ]
    }

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

pub(super) fn expression(key: &str, operator: &str, values: &[&str]) -> Value {
    if values.is_empty() {
        json!({ "key": key, "operator": operator })
    } else {
        json!({ "key": key, "operator": operator, "values": values })
    }
}
