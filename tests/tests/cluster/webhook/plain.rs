// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The webhook that gives pods an Envoy without Istio, called by the API server.

use serde_json::{Value, json};
use testkit::{cluster::Cluster, wait_until};

use super::mesh::{ENVOY, Mesh, PLAIN, PORTS};

pub(super) fn a_pod_that_is_to_get_an_envoy_without_istio_does_not_start_without_it(cluster: &Cluster) {
    let mesh = Mesh::install_as(PLAIN, cluster, "mesh-plain", PORTS[0]);
    let refused = mesh.create(&pod());
    assert!(
        refused.code != Some(0) && refused.stderr.contains("object.plain.interceptor.dev"),
        "{refused}"
    );

    let replica = mesh.replica(PORTS[0]);
    wait_until("a pod gets its Envoy", || mesh.create(&pod()).code == Some(0));
    let admitted = mesh.admitted(&pod());
    assert_eq!(admitted["spec"]["containers"][1]["image"], ENVOY);
    assert_eq!(admitted["spec"]["initContainers"][0]["name"], "interceptor-init");

    let mut bad = pod();
    bad["metadata"]["annotations"] = json!({ "traffic.sidecar.istio.io/excludeInboundPorts": "http" });
    let denied = mesh.create(&bad);
    for part in ["traffic.sidecar.istio.io/excludeInboundPorts is \"http\"", "denied the request"] {
        assert!(denied.code != Some(0) && denied.stderr.contains(part), "{denied}");
    }

    // Nobody else is asked about, and nobody else waits for the webhook.
    let mut bare = pod();
    bare["metadata"]["labels"] = json!({});
    assert_eq!(mesh.admitted(&bare)["spec"].get("initContainers"), None);
    cluster.ask(&["label", "namespace", "default", "interceptor.dev/injection=enabled"]);
    wait_until("the label of the namespace counts", || {
        mesh.admitted(&bare)["spec"].get("initContainers").is_some()
    });
    let mut opted_out = pod();
    opted_out["metadata"]["labels"] = json!({ "interceptor.dev/inject": "false" });
    assert_eq!(mesh.admitted(&opted_out)["spec"].get("initContainers"), None);
    replica.kill();
    assert_ne!(mesh.create(&bare).code, Some(0));
    assert_eq!(mesh.create(&opted_out).code, Some(0));
    cluster.ask(&["label", "namespace", "default", "interceptor.dev/injection-"]);
    wait_until("the label is gone for the API server", || mesh.create(&bare).code == Some(0));
}

/// Somebody's pod.
fn pod() -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "generateName": "hello-",
            "namespace": "default",
            "labels": { "interceptor.dev/inject": "true" },
        },
        "spec": { "containers": [{ "name": "hello", "image": "example.org/hello:1" }] },
    })
}
