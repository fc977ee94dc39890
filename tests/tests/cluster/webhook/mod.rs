// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The admission webhook, called by a real API server, beside one that plays istiod.

mod ask;
mod istiod;
mod mesh;
mod plain;

use serde_json::{Value, json};
use testkit::{Run, cluster::Cluster, wait_until};

use self::{
    istiod::{Istiod, PROXY},
    mesh::{CONFIGURATION, IMAGE, Mesh, PORTS, SERVICE},
};

/// A story, told on a node.
type Story = fn(&Cluster);

/// With their names.
pub(crate) const STORIES: [(&str, Story); 5] = [
    (
        "webhook::replicas_that_start_at_once_share_a_certificate_that_the_api_server_trusts",
        replicas_that_start_at_once_share_a_certificate_that_the_api_server_trusts,
    ),
    (
        "webhook::what_istio_injects_is_rewritten_whatever_the_order_of_the_webhooks",
        what_istio_injects_is_rewritten_whatever_the_order_of_the_webhooks,
    ),
    (
        "webhook::without_the_webhook_pods_start_as_istio_made_them",
        without_the_webhook_pods_start_as_istio_made_them,
    ),
    (
        "webhook::a_pod_that_is_to_get_an_envoy_without_istio_does_not_start_without_it",
        plain::a_pod_that_is_to_get_an_envoy_without_istio_does_not_start_without_it,
    ),
    (
        "webhook::inject_asks_the_injector_of_the_cluster_or_reads_its_config_maps",
        ask::inject_asks_the_injector_of_the_cluster_or_reads_its_config_maps,
    ),
];

const BUNDLE: &str = "{{(index .webhooks 0).clientConfig.caBundle}}";

fn replicas_that_start_at_once_share_a_certificate_that_the_api_server_trusts(cluster: &Cluster) {
    let mesh = Mesh::install(cluster, "mesh-replicas", PORTS[0]);
    let replicas = PORTS.map(|port| mesh.replica(port));
    let secret = "secret/interceptor-webhook-tls";
    for replica in &replicas {
        replica.wait_until_ready(cluster);
    }

    let authority = cluster.work().join("webhook-ca.crt");
    let certificate = mesh.field(secret, "{{index .data \"ca.crt\" | base64decode}}");
    std::fs::write(&authority, certificate).expect("write the authority");
    let host = format!("{SERVICE}.{}.svc", mesh.namespace);
    for replica in &replicas {
        let mut curl = cluster.beside_the_api("curl");
        curl.args(["--silent", "--show-error", "--write-out", "%{http_code}", "--output", "/dev/null"]);
        curl.arg("--cacert").arg(&authority);
        curl.args(["--resolve", &format!("{host}:{}:127.0.0.1", replica.port)]);
        curl.arg(format!("https://{host}:{}/inject", replica.port));
        let run = Run::of(curl);
        assert_eq!((run.code, run.stdout.as_str()), (Some(0), "405"), "{run}");
    }

    // Whoever applies the manifest again takes the bundle away.
    let configuration = format!("mutatingwebhookconfiguration/{CONFIGURATION}");
    let bundle = || mesh.field(&configuration, BUNDLE);
    let trusted = mesh.field(secret, "{{index .data \"ca.crt\"}}");
    wait_until("the API server trusts the authority", || bundle() == trusted);
    let remove = r#"[{"op":"remove","path":"/webhooks/0/clientConfig/caBundle"}]"#;
    cluster.ask(&["patch", &configuration, "--type", "json", "--patch", remove]);
    wait_until("it trusts it again", || bundle() == trusted);

    // A Secret that is gone is made anew, and the API server learns of it.
    cluster.ask(&["--namespace", mesh.namespace, "delete", secret]);
    wait_until("it trusts another authority", || {
        let bundle = bundle();
        bundle != trusted && bundle != "<no value>"
    });
}

fn what_istio_injects_is_rewritten_whatever_the_order_of_the_webhooks(cluster: &Cluster) {
    let mut mesh = Mesh::install(cluster, "mesh-order", PORTS[0]);
    let replica = mesh.replica(PORTS[0]);
    let istiod = Istiod::start(cluster);
    mesh.make(&istiod.configuration("Never"));
    wait_until("the pod is ours, by the order of the names", || is_ours(&mesh.admitted(&pod())));

    let admitted = mesh.admitted(&pod());
    let init = &admitted["spec"]["initContainers"][0];
    assert_eq!(init["name"], "istio-init");
    assert_eq!(
        init["securityContext"]["capabilities"]["add"],
        json!(["BPF", "NET_ADMIN", "PERFMON"])
    );
    let volumes: Vec<_> = admitted["spec"]["volumes"]
        .as_array()
        .expect("volumes")
        .iter()
        .map(|one| &one["name"])
        .collect();
    for name in ["interceptor-bpffs", "interceptor-cgroup"] {
        assert!(volumes.iter().any(|volume| **volume == name), "{volumes:?}");
    }
    let mut opted_out = pod();
    opted_out["metadata"]["labels"]["interceptor.dev/rewrite"] = "false".into();
    assert!(is_istios(&mesh.admitted(&opted_out)));
    let mut elsewhere = pod();
    elsewhere["metadata"]["labels"] = json!({});
    assert_eq!(mesh.admitted(&elsewhere)["spec"].get("initContainers"), None);

    // Of a pod that is left alone for a reason, kubectl tells the reason.
    let mut on_the_node = pod();
    on_the_node["spec"]["hostNetwork"] = true.into();
    let created = mesh.create(&on_the_node);
    assert!(is_istios(&created.json()));
    assert!(
        created
            .stderr
            .contains("Warning: interceptor: left alone, because it has the node's network"),
        "{created}"
    );

    // The API server adds this label since version 1.21.
    let label = format!("kubernetes.io/metadata.name={}", mesh.namespace);
    cluster.ask(&["label", "namespace", mesh.namespace, &label]);
    let mut of_the_webhook = pod();
    of_the_webhook["metadata"]["namespace"] = mesh.namespace.into();
    wait_until("the webhook's own namespace is left out", || {
        let created = mesh.create(&of_the_webhook);
        created.code == Some(0) && is_istios(&created.json())
    });

    // Istio's webhook merges over the pod again, after a third one has added a container.
    mesh.make(&istiod.third());
    mesh.make(&istiod.configuration("IfNeeded"));
    wait_until("the third webhook adds its container", || {
        let admitted = mesh.admitted(&pod());
        has_container(&admitted, "third") && is_ours(&admitted)
    });
    cluster.delete(&["mutatingwebhookconfiguration/kk-third"]);

    // Before Istio's webhook there is nothing to do; the second round rewrites.
    mesh.make(&istiod.configuration("Never"));
    let configuration = renamed(&mesh, "interceptor");
    cluster.delete(&[&format!("mutatingwebhookconfiguration/{CONFIGURATION}")]);
    wait_until("nobody rewrites", || is_istios(&mesh.admitted(&pod())));
    mesh.make(&configuration);
    wait_until("the pod is ours, by the second round", || is_ours(&mesh.admitted(&pod())));

    // What did not match in the first round is not called in the second. So no selector may wait for Istio's labels.
    let mut selective = configuration;
    selective["webhooks"][0]["objectSelector"] = json!({ "matchLabels": { "security.istio.io/tlsMode": "istio" } });
    mesh.make(&selective);
    wait_until("it is not called in the second round", || is_istios(&mesh.admitted(&pod())));
    replica.kill();
}

fn without_the_webhook_pods_start_as_istio_made_them(cluster: &Cluster) {
    let mut mesh = Mesh::install(cluster, "mesh-down", PORTS[0]);
    let replica = mesh.replica(PORTS[0]);
    let istiod = Istiod::start(cluster);
    mesh.make(&istiod.configuration("Never"));
    wait_until("the pod is ours", || is_ours(&mesh.admitted(&pod())));
    replica.kill();
    assert!(is_istios(&mesh.admitted(&pod())));
}

/// Somebody's pod.
fn pod() -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "generateName": "hello-",
            "namespace": "default",
            "labels": { "sidecar.istio.io/inject": "true" },
        },
        "spec": { "containers": [{ "name": "hello", "image": "example.org/hello:1" }] },
    })
}

fn is_ours(pod: &Value) -> bool {
    pod["spec"]["initContainers"][0]["image"] == IMAGE
}

fn is_istios(pod: &Value) -> bool {
    pod["spec"]["initContainers"][0]["image"] == PROXY
}

fn has_container(pod: &Value, name: &str) -> bool {
    pod["spec"]["containers"]
        .as_array()
        .expect("containers")
        .iter()
        .any(|container| container["name"] == name)
}

/// Our configuration with another name, and with the bundle that it has.
fn renamed(mesh: &Mesh<'_>, name: &str) -> Value {
    let mut configuration = mesh.cluster.get(&format!("mutatingwebhookconfiguration/{CONFIGURATION}"));
    configuration["metadata"] = json!({ "name": name });
    configuration
}
