// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What Istio refuses is refused, and what this program cannot render.

use rstest::rstest;
use serde_json::{Value, json};

use super::{Config, manifest, pod, pod_with};
use crate::istio::Istio;

fn error(istio: &Istio, manifest: &Value) -> String {
    istio.apply(manifest).unwrap_err().to_string()
}

#[test]
fn a_bad_annotation_is_named_with_its_value() {
    let input = manifest("inject/traffic-annotations-bad-includeipranges.yaml");
    let error = error(&Config::composed().istio(true), &input);
    assert!(error.starts_with("Deployment traffic: invalid value '"), "{error}");
    assert!(error.to_lowercase().contains("includeoutboundipranges"), "{error}");
}

#[test]
fn all_bad_annotations_are_named_at_once() {
    let pod = pod_with(&[
        ("/metadata/annotations/sidecar.istio.io~1interceptionMode", json!("redirect")),
        ("/metadata/annotations/status.sidecar.istio.io~1port", json!("http")),
        ("/metadata/annotations/proxy.istio.io~1config", json!("interceptionMode: X")),
    ]);
    let error = error(&Config::composed().istio(true), &pod);
    for name in ["sidecar.istio.io/interceptionMode", "status.sidecar.istio.io/port", "proxy.istio.io/config"] {
        assert!(error.contains(&format!("for annotation '{name}'")), "{error}");
    }
}

#[test]
fn an_unknown_template_is_an_error_that_lists_the_known_ones() {
    let pod = pod_with(&[("/metadata/annotations/inject.istio.io~1templates", json!("sidecar, nosuch"))]);
    let error = error(&Config::composed().istio(true), &pod);
    assert!(
        error.contains("\"nosuch\"") && error.contains("gateway") && error.contains("sidecar"),
        "{error}"
    );
}

#[rstest]
#[case::function("spec: {{ genCA `x` 1 }}", "line 1: function genCA not defined; let Istio render it")]
#[case::environment("spec: {{ env `HOME` `` }}", "function env not defined; let Istio render it")]
#[case::field("\nspec: {{ .NoSuchField }}", "line 2: no field `NoSuchField`")]
#[case::field_of_an_absent_value("spec: {{ .Values.a.b.c }}{{ .MeshConfig.noSuch.x }}", "no field `noSuch`")]
#[case::missing_value(
    "spec:\n  nodeName: {{ .Values.a.b.c }}",
    "line 2 (`nodeName: <no value>`) lacks a value"
)]
#[case::no_yaml("spec: [", "renders is no patch of a pod: line")]
#[case::no_object("- a", "it is no object")]
#[case::other_fields("status: {}", "status is not metadata or spec")]
#[case::container_without_a_name("spec: {containers: [{image: x}]}", "an item of containers has no name")]
#[case::labels_of_another_type(
    "metadata: {labels: {a: 1}}",
    "template sidecar.metadata.labels.a: expected a string"
)]
#[case::two_documents("spec: {}\n---\nspec: {}", "a second document begins here")]
fn a_template_that_cannot_be_rendered_is_refused(#[case] template: &str, #[case] expected: &str) {
    let istio = Istio::new(template, "", "{}").unwrap();
    let error = error(&istio, &pod());
    assert!(error.starts_with("Pod shop/web: ") && error.contains(expected), "{error}");
}

#[rstest]
#[case::mesh("spec: {}", "[]", "{}", "the mesh configuration: it is no object")]
#[case::mesh_yaml("spec: {}", "a: [", "{}", "the mesh configuration: line 1")]
#[case::mode(
    "spec: {}",
    "defaultConfig: {interceptionMode: X}",
    "{}",
    "defaultConfig: interceptionMode: \"X\""
)]
#[case::metadata(
    "spec: {}",
    "defaultConfig: {proxyMetadata: {A: true}}",
    "{}",
    "A: true is no string; put it in quotes"
)]
#[case::port("spec: {}", "proxyListenPort: x", "{}", "proxyListenPort: \"x\" is no port")]
#[case::values("spec: {}", "", "x", "Istio's values: they are no object")]
#[case::no_values("spec: {}", "", "", "Istio's values: they are no object")]
#[case::nothing("", "", "{}", "the injection template: it is empty")]
#[case::template("templates: {sidecar: 1}", "", "{}", "templates: sidecar is no text")]
#[case::config_map("kind: ConfigMap", "", "{}", "the ConfigMap has no text at data.config")]
fn a_bad_configuration_is_refused(
    #[case] inject: &str,
    #[case] mesh: &str,
    #[case] values: &str,
    #[case] expected: &str,
) {
    let error = Istio::new(inject, mesh, values).unwrap_err().to_string();
    assert!(error.contains(expected), "{error}");
}

#[rstest]
#[case("/spec/containers/0/name", Value::Null, "spec.containers[0].name: expected a value")]
#[case("/spec/containers/0/env", json!({}), "spec.containers[0].env: expected a list")]
#[case("/metadata/labels/app", json!(1), "metadata.labels.app: expected a string")]
#[case("/metadata/annotations", json!("x"), "metadata.annotations: expected an object")]
fn a_pod_that_kubernetes_would_refuse_is_refused(#[case] pointer: &str, #[case] value: Value, #[case] expected: &str) {
    let error = error(&Config::composed().istio(true), &pod_with(&[(pointer, value)]));
    assert!(error.contains(expected), "{error}");
}

#[test]
fn attributes_of_opentelemetry_are_left_to_istio() {
    let provider =
        json!([{ "name": "otel", "opentelemetry": { "serviceAttributeEnrichment": "OTEL_SEMANTIC_CONVENTIONS" } }]);
    let istio = Config::composed().set_mesh("/extensionProviders", provider).istio(true);
    let error = error(&istio, &pod());
    assert!(
        error.contains("serviceAttributeEnrichment") && error.contains("let Istio render it"),
        "{error}"
    );
}
