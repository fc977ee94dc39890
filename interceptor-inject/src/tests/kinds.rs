// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The kinds whose pods are found, and where.

use rstest::rstest;
use serde_json::{Value, json};

use super::{changed, options, pod, rewritten, set};
use crate::{Kind, Rewrite, Verdict};

/// An object whose pod template is at `pointer`.
fn object(api_version: &str, kind: &str, pointer: &str) -> Value {
    let mut object = json!({ "apiVersion": api_version, "kind": kind, "metadata": { "name": "web" } });
    set(
        &mut object,
        pointer,
        json!({ "metadata": pod()["metadata"], "spec": pod()["spec"] }),
    );
    object
}

#[rstest]
#[case("apps/v1", "Deployment")]
#[case("apps/v1", "ReplicaSet")]
#[case("apps/v1", "DaemonSet")]
#[case("apps/v1", "StatefulSet")]
#[case("batch/v1", "Job")]
#[case("v1", "ReplicationController")]
#[case("apps.openshift.io/v1", "DeploymentConfig")]
fn the_template_of_a_workload_is_rewritten(#[case] api_version: &str, #[case] kind: &str) {
    let new = changed(&object(api_version, kind, "/spec/template"));
    let pod = changed(&pod());
    assert_eq!(new["spec"]["template"]["spec"], pod["spec"]);
    assert_eq!(new["spec"]["template"]["metadata"], pod["metadata"]);
    assert_eq!(new["metadata"], json!({ "name": "web" }));
}

#[test]
fn the_template_of_a_cron_job_is_that_of_its_job() {
    let new = changed(&object("batch/v1", "CronJob", "/spec/jobTemplate/spec/template"));
    let pod = changed(&pod());
    assert_eq!(new["spec"]["jobTemplate"]["spec"]["template"]["spec"], pod["spec"]);
    assert_eq!(new["spec"]["jobTemplate"]["spec"]["template"]["metadata"], pod["metadata"]);
    assert_eq!(new["spec"]["jobTemplate"].get("metadata"), None);
}

#[test]
fn each_item_of_a_list_is_rewritten_and_unknown_ones_stay() {
    let service = json!({ "apiVersion": "v1", "kind": "Service", "metadata": { "name": "web" } });
    let deployment = object("apps/v1", "Deployment", "/spec/template");
    let inner = json!({ "apiVersion": "v1", "kind": "List", "items": [deployment] });
    let list = json!({ "apiVersion": "v1", "kind": "List", "items": [pod(), service, inner] });
    let outcome = rewritten(&list);
    let titles: Vec<_> = outcome.workloads.iter().map(crate::Workload::title).collect();
    assert_eq!(titles, ["Pod shop/web", "Deployment web"]);
    assert_eq!(outcome.manifest["items"][0], changed(&pod()));
    assert_eq!(outcome.manifest["items"][1], service);
    assert_eq!(
        outcome.manifest["items"][2]["items"][0],
        changed(&object("apps/v1", "Deployment", "/spec/template"))
    );
}

/// The API server leaves both out in the items of such a list, and `kubectl` takes them from the list.
#[test]
fn items_without_a_kind_are_what_their_list_says() {
    let mut deployment = object("apps/v1", "Deployment", "/spec/template");
    let expected = changed(&deployment)["spec"].clone();
    for name in ["apiVersion", "kind"] {
        deployment.as_object_mut().unwrap().remove(name);
    }
    let list = json!({ "apiVersion": "apps/v1", "kind": "DeploymentList", "items": [deployment] });
    let outcome = rewritten(&list);
    assert_eq!(outcome.workloads[0].title(), "Deployment web");
    assert_eq!(outcome.manifest["items"][0]["spec"], expected);
    assert!(outcome.manifest["items"][0].get("kind").is_none());
    let list = json!({ "apiVersion": "v1", "kind": "ConfigMapList", "items": [{ "data": {} }] });
    assert!(rewritten(&list).workloads.is_empty());
}

#[rstest]
#[case::not_a_workload("v1", "ConfigMap")]
#[case::old_group("extensions/v1beta1", "Deployment")]
#[case::unknown("argoproj.io/v1alpha1", "Rollout")]
#[case::other_group("example.org/v1", "Job")]
fn other_kinds_stay_and_are_not_reported(#[case] api_version: &str, #[case] kind: &str) {
    let object = object(api_version, kind, "/spec/template");
    let outcome = rewritten(&object);
    assert_eq!((outcome.manifest, outcome.workloads), (object, vec![]));
}

#[test]
fn another_kind_is_rewritten_on_demand() {
    let kinds: Vec<Kind> = ["argoproj.io/Rollout=spec.template", "/Odd=template"]
        .map(|text| text.parse().unwrap())
        .into();
    let options = Rewrite { kinds, ..options() };
    for (api_version, kind, pointer) in
        [("argoproj.io/v1alpha1", "Rollout", "/spec/template"), ("v2", "Odd", "/template")]
    {
        let outcome = options.apply(&object(api_version, kind, pointer)).unwrap();
        assert_eq!(outcome.workloads[0].verdict, Verdict::Changed { warnings: vec![] });
        assert_eq!(outcome.manifest.pointer(pointer).unwrap()["spec"], changed(&pod())["spec"]);
    }
}

#[rstest]
#[case("")]
#[case("Rollout=spec.template")]
#[case("argoproj.io/Rollout")]
#[case("argoproj.io/Rollout=")]
#[case("argoproj.io/Rollout=spec..template")]
#[case("argoproj.io/v1/Rollout=spec.template")]
fn what_names_no_kind_is_refused(#[case] text: &str) {
    let error = text.parse::<Kind>().unwrap_err().to_string();
    assert!(error.contains("argoproj.io/Rollout=spec.template"), "{error}");
}

#[test]
fn a_workload_without_a_template_is_an_error() {
    let manifest = json!({ "apiVersion": "v1", "kind": "ReplicationController", "spec": { "replicas": 1 } });
    let error = options().apply(&manifest).unwrap_err();
    assert_eq!(error.to_string(), "spec.template: expected a value; found none");
}
