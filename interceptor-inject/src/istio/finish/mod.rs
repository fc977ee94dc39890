// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What Istio does with a pod after its template was merged into it
//! ([`postProcessPod`](https://github.com/istio/istio/blob/master/pkg/kube/inject/webhook.go)).

mod order;
mod probes;
mod prometheus;

pub(super) use self::prometheus::forget as forget_prometheus;
use super::{
    injector::Istio,
    pod,
    proxy_config::ProxyConfig,
    status::{self, STATUS},
};
use crate::malformed::Object;

const CLUSTER: &str = "ISTIO_META_CLUSTER_ID";
const NETWORK: &str = "ISTIO_META_NETWORK";
const NETWORK_LABEL: &str = "topology.istio.io/network";

/// Finishes a pod. `template_pod` is what the templates have rendered.
pub(super) fn finish(
    pod: &mut Object,
    original: &Object,
    template_pod: &Object,
    proxy: &ProxyConfig,
    istio: &Istio,
) -> Result<(), String> {
    let network = pod::label(original, NETWORK_LABEL).map_or_else(|| istio.values.network(), str::to_owned);
    let variables = [(CLUSTER, istio.values.cluster()), (NETWORK, network.clone())];
    if let Some(sidecar) = pod::sidecar_mut(pod) {
        let variables = variables.iter().filter(|(_name, value)| !value.is_empty());
        for (name, value) in variables {
            move_variable(sidecar, name, value);
        }
    }
    prometheus::merge(pod, proxy.status_port(), istio.mesh.merges_prometheus());
    probes::rewrite(pod, original, proxy.status_port(), istio.values.rewrites_probes())?;
    if !network.is_empty() {
        pod::set(pod, "labels", NETWORK_LABEL, network);
    }
    pod::set(pod, "annotations", STATUS, status::written(template_pod, &istio.revision));
    order::sort(pod, proxy.holds_application() || istio.values.holds_application());
    Ok(())
}

/// Sets a variable of the sidecar, which comes to the end.
fn move_variable(sidecar: &mut Object, name: &str, value: &str) {
    if let Some(variables) = sidecar.get_mut("env").and_then(serde_json::Value::as_array_mut) {
        variables.retain(|variable| variable.get("name").is_none_or(|known| known != name));
    }
    pod::add_variable(sidecar, name, value);
}
