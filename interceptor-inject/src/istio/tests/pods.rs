// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What Istio does with single parts of a pod.

use rstest::rstest;
use serde_json::{Value, json};

use super::{Config, injected, names, pod, pod_with, sidecar};
use crate::{Outcome, Reason, Rewrite, Verdict, istio::Istio, selection::Rule};

fn istio() -> Istio {
    Config::composed().istio(true)
}

fn variable<'a>(pod: &'a Value, name: &str) -> &'a Value {
    let mut variables = sidecar(pod)["env"].as_array().unwrap().iter();
    variables
        .find(|variable| variable["name"] == name)
        .map_or(&Value::Null, |variable| &variable["value"])
}

fn json_of(value: &Value) -> Value {
    serde_json::from_str(value.as_str().unwrap()).unwrap()
}

#[test]
fn probes_are_asked_through_the_sidecar() {
    let probes = json!({
        "name": "web",
        "image": "shop/web",
        "ports": [{ "name": "http", "containerPort": 8080 }],
        "readinessProbe": { "httpGet": { "port": "http", "path": "/ready", "scheme": "HTTPS" }, "timeoutSeconds": 3 },
        "livenessProbe": { "tcpSocket": { "port": 9090 } },
        "startupProbe": { "exec": { "command": ["true"] } },
        "lifecycle": { "preStop": { "httpGet": { "port": "nosuch", "path": "/stop" } } },
    });
    let new = injected(&istio(), &pod_with(&[("/spec/containers", json!([probes]))]));
    let web = &new["spec"]["containers"][0];
    let ready = json!({
        "httpGet": { "port": 15020, "path": "/app-health/web/readyz", "scheme": "HTTP" },
        "timeoutSeconds": 3,
    });
    assert_eq!(web["readinessProbe"], ready);
    assert_eq!(
        web["livenessProbe"],
        json!({ "httpGet": { "port": 15020, "path": "/app-health/web/livez" } })
    );
    assert_eq!(web["startupProbe"], probes["startupProbe"]);
    assert_eq!(web["lifecycle"], probes["lifecycle"]);
    let kept = json!({
        "/app-health/web/readyz": {
            "httpGet": { "port": 8080, "path": "/ready", "scheme": "HTTPS" },
            "timeoutSeconds": 3,
        },
        "/app-health/web/livez": { "tcpSocket": { "port": 9090 } },
    });
    assert_eq!(json_of(variable(&new, "ISTIO_KUBE_APP_PROBERS")), kept);
    assert_eq!(injected(&istio(), &new), new, "a second injection changes nothing");
}

#[rstest]
#[case::unwanted("sidecar.istio.io/rewriteAppHTTPProbers", "false")]
#[case::no_status_port("status.sidecar.istio.io/port", "0")]
#[case::port_not_intercepted("traffic.sidecar.istio.io/excludeInboundPorts", "8080")]
#[case::other_ports_intercepted("traffic.sidecar.istio.io/includeInboundPorts", "80")]
fn probes_stay_where_the_sidecar_is_not_asked(#[case] annotation: &str, #[case] value: &str) {
    let probe = json!({ "httpGet": { "port": 8080, "path": "/" } });
    let annotation = format!("/metadata/annotations/{}", annotation.replace('/', "~1"));
    let pod = pod_with(&[(&annotation, json!(value)), ("/spec/containers/0/livenessProbe", probe.clone())]);
    assert_eq!(injected(&istio(), &pod)["spec"]["containers"][0]["livenessProbe"], probe);
}

#[test]
fn the_annotations_of_prometheus_name_the_sidecar_which_keeps_what_they_said() {
    let pod = pod_with(&[
        ("/metadata/annotations/prometheus.io~1port", json!("9090")),
        ("/metadata/annotations/prometheus.io.path", json!("/m")),
    ]);
    let new = injected(&istio(), &pod);
    let annotations = &new["metadata"]["annotations"];
    assert_eq!(annotations["prometheus.io/port"], "15020");
    assert_eq!(annotations["prometheus.io/path"], "/stats/prometheus");
    assert_eq!(annotations.get("prometheus.io.path"), None);
    let kept = json!({ "scrape": "", "path": "/m", "port": "9090" });
    assert_eq!(json_of(variable(&new, "ISTIO_PROMETHEUS_ANNOTATIONS")), kept);
}

#[rstest]
#[case("prometheus.io/scrape", "false")]
#[case("prometheus.istio.io/merge-metrics", "false")]
fn the_annotations_of_prometheus_stay_if_metrics_are_not_to_be_merged(#[case] name: &str, #[case] value: &str) {
    let pod = pod_with(&[(&format!("/metadata/annotations/{}", name.replace('/', "~1")), json!(value))]);
    assert_eq!(
        injected(&istio(), &pod)["metadata"]["annotations"].get("prometheus.io/port"),
        None
    );
}

#[test]
fn cluster_and_network_come_from_values_and_label() {
    let config = Config::composed().set_value("/global/multiCluster/clusterName", json!("east"));
    let pod = pod_with(&[("/metadata/labels/topology.istio.io~1network", json!("n2"))]);
    let new = injected(&config.set_value("/global/network", json!("n1")).istio(true), &pod);
    assert_eq!(variable(&new, "ISTIO_META_CLUSTER_ID"), "east");
    assert_eq!(variable(&new, "ISTIO_META_NETWORK"), "n2");
    assert_eq!(new["metadata"]["labels"]["topology.istio.io/network"], "n2");
}

#[rstest]
#[case::last(false, &["web", "istio-proxy"])]
#[case::first(true, &["istio-proxy", "web"])]
fn a_sidecar_that_the_application_waits_for_comes_first(#[case] holds: bool, #[case] expected: &[&str]) {
    let config = Config::composed().set_mesh("/defaultConfig/holdApplicationUntilProxyStarts", json!(holds));
    let new = injected(&config.istio(false), &pod());
    assert_eq!(names(&new["spec"]["containers"]), expected);
    assert_eq!(sidecar(&new).get("lifecycle").is_some(), holds);
}

#[test]
fn a_setting_of_the_user_wins_over_the_template() {
    let own = json!([
        { "name": "web", "image": "shop/web" },
        {
            "name": "istio-proxy",
            "image": "auto",
            "resources": { "limits": { "cpu": "7" } },
            "env": [{ "name": "OWN", "value": "1" }],
        },
    ]);
    let new = injected(&istio(), &pod_with(&[("/spec/containers", own)]));
    assert_eq!(names(&new["spec"]["containers"]), ["web"]);
    assert_eq!(sidecar(&new)["resources"]["limits"]["cpu"], "7");
    assert_eq!(sidecar(&new)["image"], "registry.istio.io/testing/proxyv2:latest");
    assert_eq!(variable(&new, "OWN"), "1");
    let kept = json_of(&new["metadata"]["annotations"]["proxy.istio.io/overrides"]);
    assert_eq!(kept["initContainers"][0]["resources"]["limits"]["cpu"], "7");
    assert_eq!(injected(&istio(), &new), new, "a second injection changes nothing");
}

#[rstest]
#[case::label("/metadata/labels/sidecar.istio.io~1inject", "false", Rule::Label)]
#[case::annotation("/metadata/annotations/sidecar.istio.io~1inject", "false", Rule::Annotation)]
#[case::namespace("/metadata/namespace", "kube-system", Rule::IgnoredNamespace)]
fn a_pod_that_istio_would_not_inject_is_left_alone(#[case] pointer: &str, #[case] value: &str, #[case] expected: Rule) {
    let pod = pod_with(&[(pointer, json!(value))]);
    let Outcome { manifest, workloads } = istio().apply(&pod).unwrap();
    assert_eq!(manifest, pod);
    let [Verdict::LeftAlone(Reason::NotSelected { rule, .. })] =
        &workloads.iter().map(|it| it.verdict.clone()).collect::<Vec<_>>()[..]
    else {
        panic!("{workloads:?}")
    };
    assert_eq!(*rule, expected);
}

#[test]
fn a_pod_of_a_controller_is_called_by_what_a_person_wrote() {
    let owner =
        json!([{ "apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web-5d4f8", "controller": true, "uid": "1" }]);
    let pod = pod_with(&[
        ("/metadata/generateName", json!("web-5d4f8-")),
        ("/metadata/ownerReferences", owner),
        ("/metadata/labels/pod-template-hash", json!("5d4f8")),
    ]);
    let new = injected(&istio(), &pod);
    assert_eq!(
        variable(&new, "ISTIO_META_OWNER"),
        "kubernetes://apis/apps/v1/namespaces/shop/deployments/web"
    );
    assert_eq!(variable(&new, "ISTIO_META_WORKLOAD_NAME"), "web");
}

#[rstest]
#[case::tproxy("/metadata/annotations/sidecar.istio.io~1interceptionMode", json!("TPROXY"), "--tproxy")]
#[case::user_namespace("/spec/hostUsers", json!(false), "hostUsers")]
fn a_pod_in_which_interceptor_would_not_work_keeps_istios_container_with_a_warning(
    #[case] pointer: &str,
    #[case] value: Value,
    #[case] expected: &str,
) {
    let istio = Istio { rewrite: Some(Rewrite::default()), ..istio() };
    let outcome = istio.apply(&pod_with(&[(pointer, value)])).unwrap();
    let Verdict::Changed { warnings } = &outcome.workloads[0].verdict else {
        panic!("{outcome:?}")
    };
    assert!(warnings.iter().any(|warning| warning.contains(expected)), "{warnings:?}");
    let init = &outcome.manifest["spec"]["initContainers"][0];
    assert_eq!(
        (&init["name"], &init["image"]),
        (&json!("istio-init"), &json!("registry.istio.io/testing/proxyv2:latest"))
    );
}
