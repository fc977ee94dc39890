// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Which objects there are, and how they belong together.

use serde_json::{Value, json};
use testkit::helm::Rendered;

use crate::helm;

const DEFAULT: [&str; 7] = [
    "ClusterRole",
    "ClusterRoleBinding",
    "ConfigMap",
    "DaemonSet",
    "Role",
    "RoleBinding",
    "ServiceAccount",
];

/// The object of this kind. Panics when there is none.
pub(crate) fn object<'a>(rendered: &'a Rendered, kind: &str) -> &'a Value {
    let found = rendered.objects.iter().find(|object| object["kind"] == kind);
    found.unwrap_or_else(|| panic!("no {kind} among {:?}", kinds(rendered)))
}

fn kinds(rendered: &Rendered) -> Vec<&str> {
    rendered
        .objects
        .iter()
        .map(|object| object["kind"].as_str().expect("a kind"))
        .collect()
}

fn rendered(values: &Value) -> Rendered {
    helm().render(values).unwrap_or_else(|error| panic!("{values}: {error}"))
}

#[test]
fn helm_finds_nothing_to_warn_of() {
    let messages = helm().lint(&json!({}));
    assert!(messages.iter().all(|(severity, _)| *severity == 1), "{messages:?}");
}

#[test]
fn objects_are_those_of_an_agent_and_each_belongs_to_the_release() {
    let rendered = rendered(&json!({}));
    assert_eq!(kinds(&rendered), DEFAULT);
    for object in &rendered.objects {
        let metadata = &object["metadata"];
        assert_eq!(metadata["name"], "interceptor-agent", "{object}");
        assert_eq!(metadata["labels"]["app.kubernetes.io/instance"], "interceptor", "{object}");
        let of_cluster = object["kind"].as_str().unwrap().starts_with("Cluster");
        assert_eq!(
            metadata["namespace"],
            if of_cluster { Value::Null } else { json!("istio-system") },
            "{object}"
        );
    }
}

#[test]
fn objects_of_the_cluster_and_of_the_namespace_can_be_installed_by_different_people() {
    let of_scope = |scope: &str| {
        let rendered = rendered(&json!({ "global": { "resourceScope": scope } }));
        kinds(&rendered).into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(of_scope("cluster"), ["ClusterRole", "ClusterRoleBinding"]);
    assert_eq!(
        of_scope("namespace"),
        ["ConfigMap", "DaemonSet", "Role", "RoleBinding", "ServiceAccount"]
    );
}

#[test]
fn the_daemon_set_selects_its_own_pods_only() {
    let rendered = rendered(&json!({}));
    let spec = &object(&rendered, "DaemonSet")["spec"];
    let (selected, labels) = (&spec["selector"]["matchLabels"], &spec["template"]["metadata"]["labels"]);
    for (name, value) in selected.as_object().unwrap() {
        assert_eq!(&labels[name], value);
    }
    // istio-cni selects by this one. istiod looks for it on pods, to take the taint off a node.
    assert!(selected.get("k8s-app").is_none());
    assert_eq!(labels["k8s-app"], "istio-cni-node");
}

#[test]
fn a_change_of_the_settings_replaces_the_pods() {
    let hash = |values: &Value| {
        let rendered = rendered(values);
        object(&rendered, "DaemonSet")["spec"]["template"]["metadata"]["annotations"]["interceptor.dev/config"].clone()
    };
    assert_ne!(hash(&json!({})), hash(&json!({ "excludeNamespaces": [] })));
    assert_eq!(hash(&json!({})), hash(&json!({ "daemonSetLabels": { "a": "b" } })));
}

#[test]
fn the_agent_has_the_rights_that_its_repair_takes_and_no_more() {
    let rights = |repair: Value| {
        let rendered = rendered(&json!({ "repair": repair }));
        let rules = object(&rendered, "ClusterRole")["rules"].as_array().unwrap().clone();
        let text = |rule: &Value| format!("{} {}", rule["resources"][0], rule["verbs"]).replace('"', "");
        rules.iter().map(text).collect::<Vec<_>>()
    };
    let (reads, tells, asks) = ("pods [get,list,watch]", "events [create]", "nodes [get]");
    assert_eq!(rights(json!({})), [reads, tells, asks]);
    let deletes = json!({ "repairPods": false, "deletePods": true, "labelPods": true });
    assert_eq!(rights(deletes), [reads, "pods [delete]", tells, asks]);
    let labels = json!({ "repairPods": false, "labelPods": true });
    assert_eq!(rights(labels), [reads, "pods/status [patch]", tells, asks]);
    assert_eq!(
        rights(json!({ "enabled": false, "repairPods": false, "deletePods": true })),
        [reads, tells, asks]
    );
}

#[test]
fn every_mount_has_its_volume() {
    for values in [json!({}), json!({ "cniNetnsDir": "/var/run/netns" })] {
        let rendered = rendered(&values);
        let spec = &object(&rendered, "DaemonSet")["spec"]["template"]["spec"];
        let names = |list: &Value| {
            let mut names: Vec<_> = list.as_array().unwrap().iter().map(|one| one["name"].to_string()).collect();
            names.sort();
            names
        };
        assert_eq!(names(&spec["volumes"]), names(&spec["containers"][0]["volumeMounts"]));
    }
}

#[test]
fn notes_say_how_to_see_it_and_how_to_go_back() {
    let notes = rendered(&json!({})).notes;
    for line in ["rollout status daemonset/interceptor-agent", "helm uninstall interceptor --namespace istio-system"] {
        assert!(notes.contains(line), "{notes}");
    }
}
