// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `interceptor inject --mode istio` with a cluster: it asks Istio's injector as `istioctl kube-inject` does, or reads
//! the `ConfigMap`s of Istio.

use std::{fs, path::Path};

use serde_json::{Value, json};
use testkit::{
    Run,
    cluster::{Cluster, NODE_ADDRESS},
    profile_directory, wait_until,
};

use super::{
    istiod::{HOST, Istiod},
    mesh::IMAGE,
};
use crate::pods::{self, import_image};

const REVISION: &str = "asked";

pub(super) fn inject_asks_the_injector_of_the_cluster_or_reads_its_config_maps(cluster: &Cluster) {
    let istiod = Istiod::start(cluster);
    let [service, namespace] = HOST;
    cluster.apply(&[json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": namespace } })]);

    // Without an injector, by the ConfigMaps.
    let file = |name: &str| {
        let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../interceptor-inject/testdata/istio/config");
        fs::read_to_string(data.join(name)).expect("read Istio's configuration")
    };
    let map = |name: &str, data: Value| {
        let metadata = json!({ "name": format!("{name}-{REVISION}"), "namespace": namespace });
        json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data })
    };
    let injector = json!({ "config": file("inject-config.yaml"), "values": file("values.json") });
    cluster.apply(&[map("istio-sidecar-injector", injector), map("istio", json!({ "mesh": file("mesh.yaml") }))]);
    let run = inject(cluster, &[], &deployment());
    run.expect_success();
    assert!(run.stdout.contains(IMAGE) && run.stdout.contains("istio-token"), "{run}");

    // By the URL of the webhook.
    let mut configuration = istiod.configuration("Never");
    configuration["metadata"] = json!({ "name": "asked-injector", "labels": { "istio.io/rev": REVISION } });
    // It is for those who ask, and for no pod of this node.
    configuration["webhooks"][0]["objectSelector"] = json!({ "matchLabels": { "nobody": "never" } });
    cluster.apply(std::slice::from_ref(&configuration));
    expect_injected(&inject(cluster, &[], &deployment()));

    let mut refused = deployment();
    refused["spec"]["template"]["metadata"]["labels"]["refuse"] = "me".into();
    let run = inject(cluster, &[], &refused);
    assert_eq!((run.code, run.stdout.as_str()), (Some(1), ""), "{run}");
    let expected = "Deployment shop/web: Istio's injector: it refuses the pod: the annotation of this pod is bad";
    assert!(run.stderr.contains(expected), "{run}");

    // By its Service, through the API server or at a host that is named.
    let port = istiod.port();
    let metadata = json!({ "name": service, "namespace": namespace });
    // The API server passes requests on to addresses of pods only.
    import_image(cluster);
    wait_until("the namespace has an account for pods", || {
        let account = ["--namespace", namespace, "get", "serviceaccount", "default"];
        Run::of(cluster.kubectl(&account)).code == Some(0)
    });
    cluster.apply(&[pod_of_the_node(service, namespace)]);
    let pod = format!("pod/{service}");
    cluster.ask(&["--namespace", namespace, "wait", "--for=condition=Ready", "--timeout=60s", &pod]);
    cluster.apply(&[
        json!({
            "apiVersion": "v1", "kind": "Service", "metadata": metadata,
            "spec": { "ports": [{ "name": "https-webhook", "port": port, "targetPort": port }] },
        }),
        json!({
            "apiVersion": "v1", "kind": "Endpoints", "metadata": metadata,
            "subsets": [{
                "addresses": [{
                    "ip": NODE_ADDRESS,
                    "targetRef": { "kind": "Pod", "namespace": namespace, "name": service },
                }],
                "ports": [{ "name": "https-webhook", "port": port }],
            }],
        }),
    ]);
    let client = &mut configuration["webhooks"][0]["clientConfig"];
    client.as_object_mut().expect("a configuration").remove("url");
    client["service"] = json!({ "name": service, "namespace": namespace, "path": "/inject", "port": port });
    cluster.ask(&["delete", "mutatingwebhookconfiguration/asked-injector"]);
    cluster.apply(std::slice::from_ref(&configuration));
    expect_injected(&inject(cluster, &[], &deployment()));
    expect_injected(&inject(cluster, &["--xds-address", NODE_ADDRESS], &deployment()));

    // Somebody without rights is told so, and nothing is written.
    let run = inject(cluster, &["--as", "nobody"], &deployment());
    assert_eq!((run.code, run.stdout.as_str()), (Some(1), ""), "{run}");
    assert!(run.stderr.contains("forbidden") && run.stderr.contains("nobody"), "{run}");
    let run = inject(cluster, &["--context", "another"], &deployment());
    assert_eq!((run.code, run.stdout.as_str()), (Some(1), ""), "{run}");

    cluster.ask(&["delete", "mutatingwebhookconfiguration/asked-injector", "--wait=false"]);
    cluster.ask(&["delete", &format!("namespace/{namespace}"), "--wait=false"]);
}

fn expect_injected(run: &Run) {
    run.expect_success();
    assert_eq!(run.stderr, "interceptor: Deployment shop/web: injected", "{run}");
    let deployment: Value = serde_json::from_str(&run.stdout).expect("JSON stays JSON");
    let pod = &deployment["spec"]["template"]["spec"];
    let init = &pod["initContainers"][0];
    assert_eq!((&init["name"], &init["image"]), (&json!("istio-init"), &json!(IMAGE)), "{run}");
    assert_eq!(pod["containers"][1]["name"], "istio-proxy", "{run}");
    assert_eq!(deployment["spec"]["replicas"], 2);
}

/// In the network of the node, with the rights of its administrator.
fn inject(cluster: &Cluster, flags: &[&str], manifest: &Value) -> Run {
    let mut inject = cluster.beside_the_api(profile_directory().join("interceptor-inject"));
    inject.args(["-f", "-", "--mode", "istio", "-r", REVISION, "-i", HOST[1], "--image", IMAGE]);
    inject.args(flags);
    Run::with_input(inject, &manifest.to_string())
}

/// A pod with the address of the node, at which the injector listens.
fn pod_of_the_node(name: &str, namespace: &str) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": { "name": name, "namespace": namespace },
        "spec": {
            "hostNetwork": true,
            "terminationGracePeriodSeconds": 1,
            "containers": [{
                "name": "idle",
                "image": pods::IMAGE,
                "imagePullPolicy": "Never",
                "command": ["/bin/interceptor-http", "serve", "--name", name, "127.0.0.1:0"],
            }],
        },
    })
}

fn deployment() -> Value {
    json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": { "name": "web", "namespace": "shop" },
        "spec": {
            "replicas": 2,
            "selector": { "matchLabels": { "app": "web" } },
            "template": {
                "metadata": { "labels": { "app": "web" } },
                "spec": { "containers": [{ "name": "web", "image": "example.org/web:1" }] },
            },
        },
    })
}
