// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What the API server reads in the manifest.

use k8s_openapi::api::admissionregistration::v1::MutatingWebhookConfiguration;

use super::*;

const REVISION: &str = "istio.io/rev";
const INJECTION: &str = "istio-injection";
const INJECT: &str = "sidecar.istio.io/inject";

fn arguments(revision: Option<&str>) -> ConfigurationArgs {
    ConfigurationArgs {
        namespace: "mesh".to_owned(),
        mode: Mode::Rewrite,
        service: None,
        port: 10250,
        revision: revision.map(str::to_owned),
        ca_file: None,
    }
}

fn names(manifest: &Value) -> Vec<&str> {
    let webhooks = manifest["webhooks"].as_array().unwrap();
    webhooks.iter().map(|webhook| webhook["name"].as_str().unwrap()).collect()
}

#[test]
fn the_configuration_is_behind_istios_and_out_of_istiods_reach() {
    for revision in [None, Some("default"), Some("1-29")] {
        let manifest = manifest(&arguments(revision), None);
        let name = manifest["metadata"]["name"].as_str().unwrap();
        assert!(name > "istio-sidecar-injector", "{name}");
        assert!(manifest["metadata"]["labels"].get(REVISION).is_none());
        assert!(names(&manifest).iter().all(|name| name.ends_with(".interceptor.dev")));
    }
}

#[test]
fn everything_is_sent_except_the_system_and_those_who_opted_out() {
    let manifest = manifest(&arguments(None), None);
    assert_eq!(names(&manifest), ["rewrite.interceptor.dev"]);
    let webhook = &manifest["webhooks"][0];
    assert_eq!(
        webhook["namespaceSelector"],
        json!({ "matchExpressions": [{
            "key": "kubernetes.io/metadata.name",
            "operator": "NotIn",
            "values": ["kube-node-lease", "kube-public", "kube-system", "local-path-storage", "mesh"],
        }] })
    );
    assert_eq!(
        webhook["objectSelector"],
        json!({ "matchExpressions": [{ "key": "interceptor.dev/rewrite", "operator": "NotIn", "values": ["false"] }] })
    );
    assert_eq!(
        (&webhook["failurePolicy"], &webhook["reinvocationPolicy"]),
        (&json!("Ignore"), &json!("IfNeeded"))
    );
    assert_eq!(webhook["clientConfig"]["service"]["port"], 10250);
}

#[test]
fn a_revision_has_the_webhooks_of_istios() {
    let of_revision = manifest(&arguments(Some("1-29")), None);
    assert_eq!(
        names(&of_revision),
        ["rev.namespace.rewrite.interceptor.dev", "rev.object.rewrite.interceptor.dev"]
    );
    assert_eq!(of_revision["metadata"]["name"], "zz-interceptor-1-29");
    assert_eq!(names(&manifest(&arguments(Some("default")), None)).len(), 4);
}

fn plain() -> Value {
    manifest(&ConfigurationArgs { mode: Mode::Plain, ..arguments(None) }, None)
}

#[test]
fn the_plain_configuration_fails_closed_and_has_names_of_its_own() {
    let manifest = plain();
    assert_eq!(manifest["metadata"]["name"], "zz-interceptor-plain");
    assert_eq!(
        names(&manifest),
        ["namespace.plain.interceptor.dev", "object.plain.interceptor.dev"]
    );
    for webhook in manifest["webhooks"].as_array().unwrap() {
        assert_eq!(
            (&webhook["failurePolicy"], &webhook["sideEffects"]),
            (&json!("Fail"), &json!("None"))
        );
        assert_eq!(
            webhook["clientConfig"]["service"],
            json!({ "name": "interceptor-plain", "namespace": "mesh", "path": "/plain", "port": 10250 })
        );
        let left_out = &webhook["namespaceSelector"]["matchExpressions"][1];
        assert_eq!(
            (&left_out["key"], &left_out["operator"]),
            (&json!("kubernetes.io/metadata.name"), &json!("NotIn"))
        );
        assert!(left_out["values"].as_array().unwrap().contains(&json!("mesh")), "{left_out}");
    }
}

#[test]
fn a_pod_is_sent_for_a_plain_envoy_if_it_or_its_namespace_says_so_and_istios_labels_do_not_count() {
    let manifest = plain();
    let (namespace_key, pod_key) = ("interceptor.dev/injection", "interceptor.dev/inject");
    let labels = |key: &str, value: Option<&str>| value.map_or_else(|| json!({}), |value| json!({ key: value }));
    for namespace in [None, Some("enabled"), Some("disabled")] {
        for pod in [None, Some("true"), Some("false"), Some("yes")] {
            let (mut of_namespace, mut of_pod) = (labels(namespace_key, namespace), labels(pod_key, pod));
            let expected = match (namespace, pod) {
                (_, Some("false")) => 0,
                (Some("enabled"), _) | (None, Some("true")) => 1,
                _ => 0,
            };
            for _ in 0..2 {
                let webhooks = manifest["webhooks"].as_array().unwrap().iter();
                let sent = webhooks.filter(|webhook| {
                    matches(&webhook["namespaceSelector"], &of_namespace)
                        && matches(&webhook["objectSelector"], &of_pod)
                });
                assert_eq!(sent.count(), expected, "{of_namespace} {of_pod}");
                of_namespace[INJECTION] = "enabled".into();
                of_pod[INJECT] = "true".into();
            }
        }
    }
}

/// By how many of the default revision's four webhooks a pod is sent, by the labels of its namespace and its own.
#[test]
fn a_pod_is_sent_at_most_once_and_if_istio_injects_it() {
    let manifest = manifest(&arguments(Some("default")), None);
    let expected = |namespace: &Value, pod: &Value| match (
        namespace.get(INJECTION).and_then(Value::as_str),
        namespace.get(REVISION).and_then(Value::as_str),
        pod.get(INJECT).and_then(Value::as_str),
        pod.get(REVISION).and_then(Value::as_str),
    ) {
        (_, _, Some("false"), _) => 0,
        (Some("enabled"), ..) => 1,
        (Some(_), ..) => 0,
        (None, Some(revision), ..) | (None, None, _, Some(revision)) => usize::from(revision == "default"),
        (None, None, inject, None) => usize::from(inject == Some("true")),
    };
    let values = |key: &str, all: &[&str]| -> Vec<Value> {
        let given = all.iter().map(|value| json!({ key: value }));
        given.chain([json!({})]).collect()
    };
    let both = |one: &Value, other: &Value| -> Value {
        let all = [one, other].map(|labels| labels.as_object().unwrap().clone());
        all.into_iter().flatten().collect::<serde_json::Map<_, _>>().into()
    };
    let mut seen = 0;
    for injection in values(INJECTION, &["enabled", "disabled", ""]) {
        for namespace in values(REVISION, &["default", "other"])
            .iter()
            .map(|revision| both(&injection, revision))
        {
            for inject in values(INJECT, &["true", "false", "yes"]) {
                for pod in values(REVISION, &["default", "other"])
                    .iter()
                    .map(|revision| both(&inject, revision))
                {
                    let webhooks = manifest["webhooks"].as_array().unwrap().iter();
                    let sent = webhooks.filter(|webhook| {
                        matches(&webhook["namespaceSelector"], &namespace) && matches(&webhook["objectSelector"], &pod)
                    });
                    assert_eq!(sent.count(), expected(&namespace, &pod), "{namespace} {pod}");
                    seen += 1;
                }
            }
        }
    }
    assert_eq!(seen, 4 * 3 * 4 * 3);
}

/// As the API server evaluates selectors.
fn matches(selector: &Value, labels: &Value) -> bool {
    selector["matchExpressions"].as_array().unwrap().iter().all(|expression| {
        let value = labels.get(expression["key"].as_str().unwrap());
        let is_listed = || value.is_some_and(|value| expression["values"].as_array().unwrap().contains(value));
        match expression["operator"].as_str().unwrap() {
            "In" => is_listed(),
            "NotIn" => !is_listed(),
            "DoesNotExist" => value.is_none(),
            other => panic!("{other}"),
        }
    })
}

#[test]
fn the_authority_is_written_in_base64() {
    let manifest = manifest(&arguments(None), Some("PEM"));
    let read: MutatingWebhookConfiguration = serde_json::from_value(manifest).unwrap();
    let client = &read.webhooks.unwrap()[0].client_config;
    assert_eq!(client.ca_bundle, Some(ByteString(b"PEM".to_vec())));
}
