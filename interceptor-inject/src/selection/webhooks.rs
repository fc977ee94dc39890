// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Stage A: which webhooks the API server calls for a pod, by the labels of the pod and of its namespace. Istio's are
//! in its chart
//! [istio-discovery](https://github.com/istio/istio/tree/master/manifests/charts/istio-control/istio-discovery).

use serde_json::Value;

use super::selector::{Labels, Selector};
use crate::malformed::{At, Malformed};

/// The names of the webhooks of a `MutatingWebhookConfiguration` that are called for a pod, in their order. Of each
/// webhook only the selectors are looked at. Every namespace has the label `kubernetes.io/metadata.name`, with its
/// name, from the API server.
///
/// # Errors
/// If the configuration is none that Kubernetes takes, as far as it was looked at.
pub fn called(configuration: &Value, namespace: &Labels, pod: &Labels) -> Result<Vec<String>, Malformed> {
    let mut called = Vec::new();
    for webhook in At::root(configuration).list("webhooks")? {
        let selector = |name| -> Result<Selector, Malformed> {
            let selector = webhook.field(name)?;
            selector.map_or_else(|| Ok(Selector::default()), |selector| Selector::at(&selector))
        };
        let by_namespace = selector("namespaceSelector")?;
        let by_pod = selector("objectSelector")?;
        if by_namespace.matches(namespace) && by_pod.matches(pod) {
            called.push(webhook.required("name")?.text()?.to_owned());
        }
    }
    Ok(called)
}
