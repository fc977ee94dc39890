// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Pods that `interceptor inject` has given their sidecars: by Istio's own template, and without Istio. In the node,
//! connections both ways go through a real Envoy.

use std::path::Path;

use serde_json::{Value, json};
use testkit::{Run, cluster::Cluster, profile_directory};

use crate::{
    agent::purge,
    pods,
    rewritten::{CONFIG, ENVOY_IMAGE, IMAGE, envoy, import_images, tell},
};

pub(crate) fn a_pod_with_an_envoy_without_istio_runs(cluster: &Cluster) {
    import_images(cluster);
    let flags = ["--mode", "plain", "--envoy-image", ENVOY_IMAGE, "--envoy-config", "envoy"];
    let text = inject(&flags, &[bare("client"), bare("web")]);
    assert!(text.contains("interceptor-envoy") && text.contains("/host/bpf"), "{text}");
    tell(cluster, &text, "interceptor-envoy");
    purge(cluster);
}

/// Istio's template is rendered from Istio's own configuration. The pods say what the sidecar's container runs, because
/// Istio's program wants a control plane; what they say is laid over the template.
pub(crate) fn a_pod_that_istios_template_made_runs_with_envoy(cluster: &Cluster) {
    import_images(cluster);
    let authority = json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": { "name": "istio-ca-root-cert", "namespace": "default" },
        "data": { "root-cert.pem": "none" },
    });
    cluster.apply(&[authority]);
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../interceptor-inject/testdata/istio/config");
    let files = [
        ("injectConfigFile", "inject-config.yaml"),
        ("meshConfigFile", "mesh.yaml"),
        ("valuesFile", "values.json"),
    ];
    let flags = files.map(|(flag, file)| format!("--{flag}={}", data.join(file).display()));
    let pods = ["client", "web"].map(|name| {
        let mut pod = bare(name);
        // It is Istio's program that would answer for the application.
        pod["metadata"]["annotations"] = json!({ "sidecar.istio.io/rewriteAppHTTPProbers": "false" });
        let sidecar = envoy();
        let mounts = json!([{ "name": "envoy", "mountPath": CONFIG }]);
        pod["spec"]["containers"].as_array_mut().expect("containers").push(json!({
            "name": "istio-proxy", "image": ENVOY_IMAGE, "command": sidecar["command"], "volumeMounts": mounts,
        }));
        pod["spec"]["volumes"] = json!([{ "name": "envoy", "configMap": { "name": "envoy" } }]);
        pod
    });
    let text = inject(&flags.each_ref().map(String::as_str), &pods);
    for part in ["istio-init", "/host/bpf", "PERFMON", "ISTIO_META_INTERCEPTION_MODE", "istio-token"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    tell(cluster, &text, "istio-proxy");
    cluster.delete(&["configmap/istio-ca-root-cert"]);
    purge(cluster);
}

fn inject(flags: &[&str], pods: &[Value; 2]) -> String {
    let mut inject = std::process::Command::new(profile_directory().join("interceptor-inject"));
    inject.args(["--filename", "-", "--image", IMAGE]).args(flags);
    let list = json!({ "apiVersion": "v1", "kind": "List", "items": pods });
    let run = Run::with_input(inject, &list.to_string());
    run.expect_success();
    run.stdout
}

/// A pod with an application, and nothing else.
fn bare(name: &str) -> Value {
    let mut pod = pods::injected(name);
    let spec = &mut pod["spec"];
    let application = spec["containers"][1].take();
    spec["containers"] = json!([application]);
    for injected in ["initContainers", "volumes"] {
        spec.as_object_mut().expect("a spec").remove(injected);
    }
    pod
}
