// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Pods as Istio injects them, with a real Envoy, that `interceptor inject` has rewritten. In the node, connections
//! both ways go through the sidecars, and all that a sidecar is told is as under Istio's own rules.

use std::net::SocketAddr;

use serde_json::{Value, json};
use testkit::{
    Run,
    cluster::{Cluster, Image},
    envoy::{
        Binary, Line,
        config::{Config, Port, Protocol},
        without_port,
    },
    interceptor_binary, profile_directory,
    records::Greeting,
    scene::Stack,
    wait_until,
};

use crate::{
    agent::{end, purge, start},
    init_container::expect_enrolled,
    pods::{self, PORT, Running, import_image},
};

/// Its entrypoint takes Envoy's arguments.
pub(crate) const ENVOY_IMAGE: &str = "localhost/envoy:1";
/// Its entrypoint is the program, as a user's image has it.
pub(crate) const IMAGE: &str = "localhost/interceptor:1";
/// Where the configuration of Envoy is mounted.
pub(crate) const CONFIG: &str = "/etc/envoy";
/// Where Envoy may write.
const SCRATCH: &str = "/etc/istio/proxy";

/// The init container is Interceptor's.
pub(crate) fn a_rewritten_pod_runs_with_envoy_and_an_init_container(cluster: &Cluster) {
    import_images(cluster);
    let text = rewrite(&[]);
    assert!(text.contains("/host/bpf") && text.contains("PERFMON"), "{text}");
    tell(cluster, &text, "istio-proxy");
    purge(cluster);
}

/// No container of the pod has a capability.
pub(crate) fn a_rewritten_pod_runs_with_envoy_and_the_plugin(cluster: &Cluster) {
    import_images(cluster);
    let agent = start(cluster, &[]);
    let text = rewrite(&["--data-path", "cni"]);
    let list: Value = serde_json::from_str(&text).expect("a list");
    for pod in list["items"].as_array().expect("pods") {
        let spec = pod["spec"].to_string();
        assert!(
            spec.contains("istio-validation") && !spec.contains("NET_ADMIN") && !spec.contains("hostPath"),
            "{spec}"
        );
    }
    tell(cluster, &text, "istio-proxy");
    end(cluster, agent);
    purge(cluster);
}

/// Applies both pods, sends a request through both sidecars, and deletes them. The pods are a client and a server,
/// whose sidecars are the containers of this name.
pub(crate) fn tell(cluster: &Cluster, pods: &str, sidecar: &str) {
    let bootstrap = bootstrap();
    cluster.apply(&[json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": { "name": "envoy", "namespace": "default" },
        "data": { "config.json": bootstrap, "envoy.yaml": bootstrap },
    })]);
    Run::with_input(cluster.kubectl(&["apply", "--filename", "-"]), pods).expect_success();
    cluster.wait_for("condition=Ready", &["pod/client", "pod/web"]);
    let [client, web] = ["client", "web"].map(|name| Running::look(cluster, name));
    expect_enrolled(cluster, &[&client, &web]);
    let (client_at, to) = (client.address.to_string(), SocketAddr::new(web.address, PORT));
    let request = format!("http://{to}/greeting");
    let run = cluster.exec("client", "app", &["wget", "-q", "-O", "-", &request]);
    run.expect_success();
    let greeting = Greeting::from_line(run.stdout.trim());
    assert_eq!((greeting.name.as_str(), greeting.uid), ("web", 1000));
    assert_eq!(greeting.peer.ip().to_string(), "127.0.0.6", "Envoy asks the application");

    let outbound = line(cluster, ("client", sidecar), "outbound", &client_at);
    assert_eq!(outbound.original_destination, Some(to.to_string()), "{outbound:?}");
    assert_eq!(outbound.upstream_remote, Some(to.to_string()), "{outbound:?}");
    let onward = outbound.upstream_local.as_deref().map(without_port);
    assert_eq!(onward, Some(format!("{client_at}:*")), "{outbound:?}");
    let inbound = line(cluster, ("web", sidecar), "inbound", &client_at);
    assert_eq!(inbound.original_destination, Some(to.to_string()), "{inbound:?}");
    assert_eq!(inbound.upstream_remote, Some(to.to_string()), "{inbound:?}");
    let onward = inbound.upstream_local.as_deref().map(without_port);
    assert_eq!(onward.as_deref(), Some("127.0.0.6:*"), "{inbound:?}");
    assert_eq!(
        (inbound.status, inbound.path.as_deref()),
        (Some(200), Some("/greeting")),
        "{inbound:?}"
    );
    cluster.delete(&["pod/client", "pod/web", "configmap/envoy"]);
}

/// What the Envoy of a pod has logged of connections of this client.
fn line(cluster: &Cluster, (pod, sidecar): (&str, &str), direction: &str, client: &str) -> Line {
    let mut found = None;
    wait_until("Envoy logs the request", || {
        let log = cluster.container_log(pod, sidecar);
        let lines = log.lines().filter(|line| line.starts_with('{'));
        let mut lines = lines.map(|line| serde_json::from_str(line).expect("a line of the access log"));
        found = lines.find(|line: &Line| {
            let peer = line.peer.as_deref().and_then(|peer| peer.rsplit_once(':'));
            line.direction == direction && peer.is_some_and(|(ip, _port)| ip == client)
        });
        found.is_some()
    });
    found.expect("a line")
}

pub(crate) fn import_images(cluster: &Cluster) {
    import_image(cluster);
    let envoy = Image::new(ENVOY_IMAGE)
        .program("envoy", Binary::newest().path())
        .program("busybox", &cluster.busybox())
        .applets("busybox", &["sh"])
        .entrypoint("/bin/envoy");
    let interceptor = Image::new(IMAGE)
        .program("interceptor", interceptor_binary())
        .entrypoint("/bin/interceptor");
    for image in [envoy, interceptor] {
        cluster.import(&image);
    }
}

/// The configuration of Envoy, with the listener that kubelet asks.
fn bootstrap() -> String {
    let config = Config {
        ports: vec![Port { number: PORT, protocol: Protocol::Detect }],
        access_log: "/dev/stdout".into(),
        // In no file system, because Envoy may write to none.
        admin: "@admin".into(),
        ..Config::new(Stack::V4)
    };
    let mut bootstrap = config.bootstrap();
    let listeners = bootstrap
        .pointer_mut("/static_resources/listeners")
        .and_then(Value::as_array_mut);
    listeners.expect("listeners").push(readiness());
    bootstrap.to_string()
}

fn readiness() -> Value {
    let filters = "type.googleapis.com/envoy.extensions.filters";
    let route = json!({ "match": { "path": "/healthz/ready" }, "direct_response": { "status": 200 } });
    json!({
        "name": "readiness",
        "address": { "socket_address": { "address": "0.0.0.0", "port_value": 15021 } },
        "filter_chains": [{ "filters": [{
            "name": "envoy.filters.network.http_connection_manager",
            "typed_config": {
                "@type": format!("{filters}.network.http_connection_manager.v3.HttpConnectionManager"),
                "stat_prefix": "readiness",
                "route_config": { "virtual_hosts": [{ "name": "all", "domains": ["*"], "routes": [route] }] },
                "http_filters": [{
                    "name": "envoy.filters.http.router",
                    "typed_config": { "@type": format!("{filters}.http.router.v3.Router") },
                }],
            },
        }] }],
    })
}

/// Both pods, in a list.
pub(crate) fn injected_by_istio() -> String {
    json!({ "apiVersion": "v1", "kind": "List", "items": [by_istio("client"), by_istio("web")] }).to_string()
}

/// `interceptor inject`, with both pods.
pub(crate) fn rewrite(flags: &[&str]) -> String {
    let mut inject = std::process::Command::new(profile_directory().join("interceptor-inject"));
    inject.args(["--filename", "-", "--image", IMAGE]).args(flags);
    let run = Run::with_input(inject, &injected_by_istio());
    run.expect_success();
    run.stdout
}

/// As Istio injects a pod where nodes have no native sidecars, but for what only its control plane needs
/// ([`injection-template.yaml`](https://github.com/istio/istio/blob/1.27.0/manifests/charts/istio-control/istio-discovery/files/injection-template.yaml)).
fn by_istio(name: &str) -> Value {
    let mut pod = pods::injected(name);
    let application = pod["spec"]["containers"][1].take();
    pod["metadata"]["annotations"] =
        json!({ "sidecar.istio.io/status": "{\"initContainers\":[\"istio-init\"],\"containers\":[\"istio-proxy\"]}" });
    pod["spec"]["initContainers"] = json!([istio_init()]);
    pod["spec"]["containers"] = json!([envoy(), application]);
    pod["spec"]["volumes"] = json!([
        { "name": "istio-envoy", "emptyDir": { "medium": "Memory" } },
        { "name": "envoy", "configMap": { "name": "envoy" } },
    ]);
    pod
}

fn istio_init() -> Value {
    json!({
        "name": "istio-init",
        "image": "registry.istio.io/testing/proxyv2:latest",
        "args": [
            "istio-iptables", "-p", "15001", "-z", "15006", "-u", "1337", "-m", "REDIRECT", "-i", "*", "-x", "",
            "-b", "*", "-d", "15090,15021,15020", "--log_output_level=default:info",
        ],
        "resources": {},
        "securityContext": {
            "allowPrivilegeEscalation": false,
            "capabilities": { "add": ["NET_ADMIN", "NET_RAW"], "drop": ["ALL"] },
            "privileged": false,
            "readOnlyRootFilesystem": false,
            "runAsGroup": 0,
            "runAsNonRoot": false,
            "runAsUser": 0,
        },
    })
}

/// Istio's program starts Envoy. Here, a shell that leaves the arguments aside does.
pub(crate) fn envoy() -> Value {
    let start = format!(
        "exec envoy --config-path {CONFIG}/config.json --concurrency 1 --disable-hot-restart --log-level warning \
         --file-flush-interval-msec 20"
    );
    json!({
        "name": "istio-proxy",
        "image": ENVOY_IMAGE,
        "command": ["/bin/sh", "-c", start, "pilot-agent"],
        "args": ["proxy", "sidecar", "--domain", "default.svc.cluster.local", "--log_output_level=default:info"],
        "securityContext": {
            "allowPrivilegeEscalation": false,
            "capabilities": { "drop": ["ALL"] },
            "privileged": false,
            "readOnlyRootFilesystem": true,
            "runAsGroup": 1337,
            "runAsNonRoot": true,
            "runAsUser": 1337,
        },
        "volumeMounts": [
            { "name": "istio-envoy", "mountPath": SCRATCH },
            { "name": "envoy", "mountPath": CONFIG },
        ],
    })
}
