// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Every value of the schema has an effect, which a row of the table names. Each is tried in its own place and, as
//! older charts of Istio have it, below `cni:`.

use std::{collections::BTreeSet, fs, path::Path};

use serde_json::{Map, Value, json};
use testkit::helm::Rendered;

use crate::{
    helm,
    objects::object,
    row::{Row, row},
    webhook,
};

const CONTAINER: &str = "/spec/template/spec/containers/0";
const POD: &str = "/spec/template/spec";

/// A setting of the agent.
fn setting(path: &'static str, value: Value, variable: &str, expected: &str) -> Row {
    row(path, value, "ConfigMap", format!("/data/{variable}"), json!(expected))
}

/// A part of the `DaemonSet`.
fn part(path: &'static str, value: Value, pointer: impl Into<String>, expected: Value) -> Row {
    row(path, value, "DaemonSet", pointer, expected)
}

fn images() -> Vec<Row> {
    let image =
        |path, value: &str, expected: &str| part(path, json!(value), format!("{CONTAINER}/image"), json!(expected));
    let policy = |path| part(path, json!("Always"), format!("{CONTAINER}/imagePullPolicy"), json!("Always"));
    vec![
        image("hub", "registry.example", "registry.example/interceptor:0.1.0"),
        image("image", "other", "localhost/other:0.1.0"),
        image("image", "registry.example/a:1", "registry.example/a:1"),
        image("tag", "1", "localhost/interceptor:1"),
        image("global.hub", "registry.example", "registry.example/interceptor:0.1.0"),
        image("global.hub", "other.example", "registry.example/interceptor:0.1.0")
            .with(json!({ "hub": "registry.example" })),
        image("global.tag", "1", "localhost/interceptor:1"),
        image("global.tag", "1", "localhost/interceptor:2").with(json!({ "tag": "2" })),
        policy("pullPolicy"),
        policy("global.imagePullPolicy"),
        row(
            "global.imagePullSecrets",
            json!(["key"]),
            "ServiceAccount",
            "/imagePullSecrets",
            json!([{ "name": "key" }]),
        ),
    ]
}

fn settings() -> Vec<Row> {
    let level = |path| {
        let flag = json!("--log_output_level=default:debug,cni:info");
        part(path, json!("default:debug,cni:info"), format!("{CONTAINER}/args/1"), flag)
    };
    vec![
        level("logging.level"),
        level("global.logging.level"),
        setting("cniConfFileName", json!("10-a.conflist"), "CNI_CONF_NAME", "10-a.conflist"),
        setting("istioOwnedCNIConfig", json!(true), "ISTIO_OWNED_CNI_CONFIG", "true"),
        setting(
            "istioOwnedCNIConfigFileName",
            json!("03-a.conflist"),
            "ISTIO_OWNED_CNI_CONFIG_FILENAME",
            "03-a.conflist",
        ),
        setting("replaceIstioCni", json!(true), "REPLACE_ISTIO_CNI", "true"),
        setting("chained", json!(false), "CHAINED_CNI_PLUGIN", "false"),
        setting("chained", json!(true), "CHAINED_CNI_PLUGIN", "true").with(json!({ "platform": "openshift" })),
        setting("excludeNamespaces", json!(["a", "b"]), "EXCLUDE_NAMESPACES", "a,b"),
        setting("excludeNamespaces", json!([]), "EXCLUDE_NAMESPACES", ""),
        setting("repair.enabled", json!(false), "REPAIR_ENABLED", "false"),
        setting("repair.repairPods", json!(false), "REPAIR_REPAIR_PODS", "false"),
        setting("repair.deletePods", json!(true), "REPAIR_DELETE_PODS", "true"),
        setting("repair.adoptRunning", json!(true), "REPAIR_ADOPT_RUNNING", "true"),
        setting("repair.labelPods", json!(true), "REPAIR_LABEL_PODS", "true"),
        setting(
            "repair.initContainerName",
            json!("check"),
            "REPAIR_INIT_CONTAINER_NAME",
            "check",
        ),
        setting("repair.brokenPodLabelKey", json!("a/b"), "REPAIR_BROKEN_POD_LABEL_KEY", "a/b"),
        setting(
            "repair.brokenPodLabelValue",
            json!("yes"),
            "REPAIR_BROKEN_POD_LABEL_VALUE",
            "yes",
        ),
        setting("onUnsupported", json!("skip"), "ON_UNSUPPORTED", "skip"),
        part(
            "onUnsupported",
            json!("iptables"),
            format!("{CONTAINER}/securityContext/capabilities/add/5"),
            json!("NET_RAW"),
        ),
        part(
            "onUnsupported",
            json!("iptables"),
            format!("{CONTAINER}/image"),
            json!("localhost/interceptor:0.1.0-iptables"),
        ),
        setting("uninstallClean", json!(true), "UNINSTALL_CLEAN", "true"),
        setting("healthPort", json!(8001), "HEALTH_PORT", "8001"),
        part(
            "healthPort",
            json!(8001),
            format!("{CONTAINER}/readinessProbe/httpGet/port"),
            json!(8001),
        ),
        setting("metricsPort", json!(15024), "MONITORING_PORT", "15024"),
        part(
            "metricsPort",
            json!(15024),
            format!("{CONTAINER}/ports/0/containerPort"),
            json!(15024),
        ),
        setting("global.logAsJson", json!(true), "LOG_JSON", "true"),
        part(
            "env",
            json!({ "NAME": "value" }),
            format!("{CONTAINER}/env/3"),
            json!({ "name": "NAME", "value": "value" }),
        ),
    ]
}

fn pods() -> Vec<Row> {
    let affinity = json!({ "nodeAffinity": {} });
    let toleration = json!([{ "key": "a", "operator": "Exists" }]);
    let strategy = json!({ "type": "OnDelete" });
    let limits = json!({ "limits": { "memory": "1Gi" } });
    let profile = json!({ "type": "RuntimeDefault" });
    let options = json!({ "type": "a_t" });
    let context = |name: &str| format!("{CONTAINER}/securityContext/{name}");
    let of_template = |name: &str| format!("/spec/template/metadata/{name}");
    vec![
        part("affinity", affinity.clone(), format!("{POD}/affinity"), affinity),
        part("tolerations", toleration.clone(), format!("{POD}/tolerations"), toleration),
        part("daemonSetLabels", json!({ "a": "b" }), "/metadata/labels/a", json!("b")),
        part("podLabels", json!({ "a": "b" }), of_template("labels/a"), json!("b")),
        part("podAnnotations", json!({ "a": "b" }), of_template("annotations/a"), json!("b")),
        part("seccompProfile", profile.clone(), context("seccompProfile"), profile),
        part("seLinuxOptions", options.clone(), context("seLinuxOptions"), options),
        part(
            "useAppArmorAnnotation",
            json!(false),
            context("appArmorProfile"),
            json!({ "type": "Unconfined" }),
        ),
        part(
            "resources",
            limits,
            format!("{CONTAINER}/resources/limits/memory"),
            json!("1Gi"),
        ),
        part("updateStrategy", strategy, "/spec/updateStrategy/type", json!("OnDelete")),
        part(
            "terminationGracePeriodSeconds",
            json!(60),
            format!("{POD}/terminationGracePeriodSeconds"),
            json!(60),
        ),
        part("revision", json!("1-31"), "/metadata/labels/istio.io~1rev", json!("1-31")),
        part("cniBinDir", json!("/a"), format!("{POD}/volumes/0/hostPath/path"), json!("/a")),
        part("cniConfDir", json!("/a"), format!("{POD}/volumes/1/hostPath/path"), json!("/a")),
        part(
            "cniNetnsDir",
            json!("/a"),
            format!("{POD}/volumes/6/hostPath/path"),
            json!("/a"),
        ),
    ]
}

fn platforms() -> Vec<Row> {
    let path = |volume: usize| format!("{POD}/volumes/{volume}/hostPath/path");
    let bin = |platform: &str, directory: &str| part("platform", json!(platform), path(0), json!(directory));
    let conf = |platform: &str, directory: &str| part("platform", json!(platform), path(1), json!(directory));
    let quota = |path, value| row(path, value, "ResourceQuota", "/spec/hard/pods", json!("5000"));
    let multus = |path, value| row(path, value, "NetworkAttachmentDefinition", "/metadata/name", json!("istio-cni"));
    vec![
        bin("gke", "/home/kubernetes/bin"),
        bin("k3d", "/bin"),
        conf("k3d", "/var/lib/rancher/k3s/agent/etc/cni/net.d"),
        bin("k3s", "/var/lib/rancher/k3s/data/cni"),
        conf("k3s", "/var/lib/rancher/k3s/agent/etc/cni/net.d"),
        bin("microk8s", "/var/snap/microk8s/current/opt/cni/bin"),
        conf("microk8s", "/var/snap/microk8s/current/args/cni-network"),
        bin("openshift", "/var/lib/cni/bin"),
        conf("openshift", "/etc/cni/multus/net.d"),
        conf("openshift", "/a").with(json!({ "cniConfDir": "/a" })),
        setting("platform", json!("openshift"), "CHAINED_CNI_PLUGIN", "false"),
        setting("platform", json!("openshift"), "CNI_CONF_NAME", "istio-cni.conf"),
        part(
            "platform",
            json!("openshift"),
            format!("{CONTAINER}/securityContext/seLinuxOptions/type"),
            json!("spc_t"),
        ),
        part("global.platform", json!("k3d"), path(0), json!("/bin")),
        multus("provider", json!("multus")),
        multus("platform", json!("openshift")),
        quota("platform", json!("gke")),
        quota("resourceQuotas.enabled", json!(true)),
        row("resourceQuotas.pods", json!(7), "ResourceQuota", "/spec/hard/pods", json!("7"))
            .with(json!({ "resourceQuotas": { "enabled": true } })),
    ]
}

fn monitors() -> Vec<Row> {
    let enabled = json!({ "podMonitor": { "enabled": true } });
    let of_monitor = |path, value, pointer: &str, expected| row(path, value, "PodMonitor", pointer, expected);
    vec![
        of_monitor(
            "podMonitor.enabled",
            json!(true),
            "/spec/podMetricsEndpoints/0/port",
            json!("metrics"),
        ),
        of_monitor("podMonitor.labels", json!({ "a": "b" }), "/metadata/labels/a", json!("b")).with(enabled.clone()),
        of_monitor(
            "podMonitor.interval",
            json!("1m"),
            "/spec/podMetricsEndpoints/0/interval",
            json!("1m"),
        )
        .with(enabled),
        row(
            "alerts.enabled",
            json!(true),
            "PrometheusRule",
            "/metadata/name",
            json!("interceptor"),
        ),
        row(
            "alerts.labels",
            json!({ "a": "b" }),
            "PrometheusRule",
            "/metadata/labels/a",
            json!("b"),
        )
        .with(json!({ "alerts": { "enabled": true } })),
    ]
}

fn rows() -> Vec<Row> {
    [images(), settings(), pods(), platforms(), monitors(), webhook::rows()]
        .into_iter()
        .flatten()
        .collect()
}

/// Values whose only other choice is refused, whose effect other tests show, or that have none, which the file of the
/// values says.
const ELSEWHERE: [&str; 9] = [
    "ambient.enabled",
    "dashboards.enabled",
    "dashboards.labels",
    "global.networkPolicy.enabled",
    "global.resourceScope",
    "global.variant",
    "profile",
    "variant",
    "webhook.mode",
];

#[test]
fn each_value_has_its_effect_in_its_own_place_and_below_cni() {
    let (mut tried, mut rows_tried) = (Vec::new(), Vec::new());
    let rows = rows();
    for row in &rows {
        let values = merged(row.with.clone(), at(row.path, row.value.clone()));
        if !row.path.starts_with("global.") {
            rows_tried.push(row);
            tried.push(json!({ "cni": values }));
        }
        rows_tried.push(row);
        tried.push(values);
    }
    let without: Vec<_> = rows.iter().map(|row| row.with.clone()).collect();
    let helm = helm();
    for ((row, values), answer) in rows_tried.iter().zip(&tried).zip(helm.render_each(&tried)) {
        let rendered = answer.unwrap_or_else(|error| panic!("{values}: {error}"));
        assert_eq!(found(&rendered, row).as_ref(), Some(&row.expected), "{values}: {}", row.pointer);
    }
    for (row, answer) in rows.iter().zip(helm.render_each(&without)) {
        let rendered = answer.unwrap_or_else(|error| panic!("{}: {error}", row.with));
        // A row that says what comes first has the same result without its value.
        let is_overruled = row.path.starts_with("global.") && row.with != json!({});
        let is_overruled = is_overruled || row.path == "platform" && row.with != json!({});
        let has_effect = found(&rendered, row).as_ref() != Some(&row.expected);
        assert!(has_effect || is_overruled, "{} is so without {}", row.pointer, row.path);
    }
}

#[test]
fn every_value_of_the_schema_has_a_row() {
    let rows = rows();
    let tried: BTreeSet<&str> = rows.iter().map(|row| row.path).chain(ELSEWHERE).collect();
    let schema = file("values.schema.json");
    let schema: Value = serde_json::from_str(&schema).unwrap();
    let mut known = Vec::new();
    leaves(&schema, "", &mut known);
    let known: BTreeSet<&str> = known.iter().map(String::as_str).filter(|path| *path != "cni").collect();
    assert_eq!(known, tried);
}

#[test]
fn the_file_of_values_has_every_value_of_the_schema() {
    let (schema, values) = (file("values.schema.json"), file("values.yaml"));
    let schema: Value = serde_json::from_str(&schema).unwrap();
    for name in schema["properties"].as_object().unwrap().keys().filter(|name| *name != "cni") {
        let has = |line: &str| line.starts_with(&format!("{name}:")) || line.starts_with(&format!("# {name}:"));
        assert!(values.lines().any(has), "values.yaml does not have {name}");
    }
}

#[test]
fn what_has_no_effect_is_accepted() {
    let values = json!({ "variant": "distroless", "profile": "default" });
    let rendered = helm().render(&values).unwrap();
    assert_eq!(rendered.objects, helm().render(&json!({})).unwrap().objects);
}

/// What is at the row's place, if its object is there.
fn found(rendered: &Rendered, row: &Row) -> Option<Value> {
    let has_object = rendered.objects.iter().any(|one| one["kind"] == row.kind);
    has_object
        .then(|| object(rendered, row.kind).pointer(&row.pointer).cloned())
        .flatten()
}

/// `a.b` and 1 are `{ "a": { "b": 1 } }`.
fn at(path: &str, value: Value) -> Value {
    path.rsplit('.')
        .fold(value, |inner, name| Value::Object(Map::from_iter([(name.to_owned(), inner)])))
}

fn merged(one: Value, other: Value) -> Value {
    match (one, other) {
        (Value::Object(mut one), Value::Object(other)) => {
            for (name, value) in other {
                let before = one.remove(&name).unwrap_or(Value::Null);
                one.insert(name, merged(before, value));
            }
            Value::Object(one)
        }
        (_, other) => other,
    }
}

/// The paths of values that contain no other values of the chart.
fn leaves(schema: &Value, path: &str, found: &mut Vec<String>) {
    let Some(properties) = schema["properties"].as_object() else {
        found.push(path.to_owned());
        return;
    };
    for (name, inner) in properties {
        let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        leaves(inner, &path, found);
    }
}

fn file(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/chart").join(name);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
