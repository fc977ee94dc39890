// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Pods that started before the plugin was on the node: they are intercepted belatedly, deleted or labeled.

use interceptor_wire::{Answer, Did};
use serde_json::{Value, json};
use testkit::{
    Launcher, Process,
    scene::{Outcome, POD, Scene},
    wait_until,
};

use crate::{
    lab::{Agent, Lab, get, unique_address},
    sandbox::Sandbox,
};

/// The pod, with this status of its container `istio-validation`.
fn with_status(sandbox: &Sandbox, address: &str, state: &Value, last: &Value) -> Value {
    let mut pod = sandbox.injected();
    pod["status"] = json!({
        "phase": "Pending",
        "podIP": address,
        "podIPs": [{"ip": address}],
        "initContainerStatuses": [{"name": "istio-validation", "state": state, "lastState": last}],
    });
    pod
}

/// As kubelet shows a pod whose validation fails again and again.
fn broken(sandbox: &Sandbox, address: &str) -> Value {
    with_status(
        sandbox,
        address,
        &json!({"waiting": {"reason": "CrashLoopBackOff"}}),
        &ended(126),
    )
}

fn ended(code: i32) -> Value {
    json!({"terminated": {"exitCode": code, "reason": if code == 0 { "Completed" } else { "Error" }}})
}

/// A process that does nothing.
fn idle(launcher: &Launcher) -> Process {
    Process::spawn("idle process", &mut launcher.command("cat"))
}

#[track_caller]
fn expect_metric(agent: &Agent, kind: &str, result: &str, value: u32) {
    let (_, text) = get(agent.metrics, "/metrics");
    let line = format!("istio_cni_repair_pods_repaired_total{{type=\"{kind}\",result=\"{result}\"}} {value}");
    assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
}

#[test]
fn a_pod_that_started_without_the_plugin_is_intercepted_as_soon_as_it_has_an_address() {
    let lab = Lab::new();
    let scene = Scene::new(&lab.node, "pod");
    let sandbox = Sandbox::of(&scene.pod, "web-0");
    let _servers = scene.serve(8081);
    let _sidecar = scene.sidecar(&[]);
    let mut without_address = broken(&sandbox, POD);
    without_address["status"]["podIPs"] = json!([]);
    lab.api.put(without_address);
    let mut agent = lab.start_with(&["--repair-repair-pods"]);
    agent.wait_for("not repaired yet: its network namespace is not found yet");
    assert!(lab.enrollments().is_empty());

    lab.api.put(broken(&sandbox, POD));
    wait_until("the pod is intercepted", || !lab.enrollments().is_empty());
    assert_eq!(scene.outbound(), Outcome::ThroughSidecar);
    wait_until("its record is there", || lab.records().len() == 1);
    assert_eq!(lab.records()[0].pod.to_string(), "shop/web-0");
    agent.wait_for("intercepted a pod that had started without");
    expect_metric(&agent, "repair", "success", 1);

    // The runtime tells of its end by the name of the sandbox, which nobody knew.
    let answer = sandbox.check(&lab.socket()).expect("an answer");
    assert!(matches!(answer, Answer::Done { did: Did::Checked, .. }), "{answer:?}");
    lab.api.put(with_status(&sandbox, POD, &ended(0), &json!({})));
    sandbox.del(&lab.socket()).expect("an answer");
    assert!(lab.enrollments().is_empty() && lab.records().is_empty());
}

/// As with a runtime that keeps no process of its own in a pod whose container waits for its next start.
#[test]
fn a_pod_that_has_no_process_at_the_moment_is_found_by_its_address_and_intercepted() {
    let lab = Lab::new();
    let [scene, _other] = ["pod", "other"].map(|name| Scene::new(&lab.node, name));
    let address = unique_address();
    scene.pod.namespace().ip(&format!("address add {address}/32 dev eth0"));
    let sandbox = Sandbox::of(&scene.pod, "web-0");
    lab.api.put(broken(&sandbox, &address));
    let _agent = lab.start_with(&["--repair-repair-pods"]);
    wait_until("the pod is intercepted", || !lab.enrollments().is_empty());
    let enrolled: Vec<u64> = lab.enrollments().into_iter().map(|(cookie, _)| cookie).collect();
    assert_eq!(enrolled, [Lab::cookie(&sandbox)]);
}

#[test]
fn a_process_in_the_namespace_of_another_pod_does_not_mislead_the_repair() {
    let lab = Lab::new();
    let [scene, other] = ["pod", "other"].map(|name| Scene::new(&lab.node, name));
    let address = unique_address();
    scene.pod.namespace().ip(&format!("address add {address}/32 dev eth0"));
    let sandbox = Sandbox::of(&scene.pod, "web-0");
    let in_transit = other.pod.app().cgroup(scene.pod.namespace().cgroup().join("app"));
    let _in_transit = idle(&in_transit);
    let visitor = scene.pod.app().cgroup(other.pod.namespace().cgroup().join("app"));
    let _visitor = idle(&visitor);
    lab.api.put(broken(&sandbox, &address));
    let _agent = lab.start_with(&["--repair-repair-pods"]);
    wait_until("the pod is intercepted", || !lab.enrollments().is_empty());
    let enrolled: Vec<u64> = lab.enrollments().into_iter().map(|(cookie, _)| cookie).collect();
    assert_eq!(enrolled, [Lab::cookie(&sandbox)]);
}

/// Whoever makes a pod writes its annotations, also one that kubelet writes for static pods.
#[test]
fn a_pod_that_says_it_has_the_uid_of_another_one_does_not_get_its_cgroup() {
    let lab = Lab::new();
    let [scene, hostile] = ["pod", "hostile"].map(|name| Scene::new(&lab.node, name));
    let address = unique_address();
    hostile.pod.namespace().ip(&format!("address add {address}/32 dev eth0"));
    let (sandbox, liar) = (Sandbox::of(&scene.pod, "web-0"), Sandbox::of(&hostile.pod, "liar"));
    lab.api.put(sandbox.injected());
    let _agent = lab.start_with(&["--repair-repair-pods"]);
    lab.expect_enrolled(&sandbox);
    let mut pod = broken(&liar, &address);
    pod["metadata"]["annotations"]["kubernetes.io/config.hash"] = sandbox.uid.as_str().into();
    lab.api.put(pod);
    wait_until("both are intercepted", || lab.enrollments().len() == 2);
    let [one, other] = [0, 1].map(|number| lab.enrollments()[number].1.cgroup_id);
    assert_ne!(one, other);
}

/// Pods that are not broken, in every way that counts.
fn put_healthy_pods(lab: &Lab, sandbox: &Sandbox) {
    let named = |name: &str| Sandbox { name: name.to_owned(), uid: format!("uid-{name}"), ..sandbox.clone() };
    let waiting = json!({"waiting": {}});
    lab.api.put(with_status(&named("another-exit-code"), POD, &waiting, &ended(1)));
    lab.api.put(with_status(&named("completed"), POD, &ended(0), &ended(126)));
    lab.api.put(with_status(&named("first-failure"), POD, &ended(126), &json!({})));
    let mut other_container = broken(&named("another-container"), POD);
    other_container["status"]["initContainerStatuses"][0]["name"] = "setup".into();
    lab.api.put(other_container);
    let mut no_annotation = broken(&named("no-annotation"), POD);
    no_annotation["metadata"]["annotations"] = json!({});
    lab.api.put(no_annotation);
}

#[test]
fn a_broken_pod_is_deleted_once_and_as_it_was_seen() {
    let lab = Lab::new();
    let pod = Scene::new(&lab.node, "pod").pod;
    let sandbox = Sandbox::of(&pod, "web-0");
    put_healthy_pods(&lab, &sandbox);
    lab.api.put(broken(&sandbox, POD));
    let mut agent = lab.start_with(&["--repair-delete-pods", "--repair-label-pods"]);
    wait_until("the event is written", || lab.api.changes().len() == 2);
    let [delete, event] = [0, 1].map(|number| lab.api.changes()[number].clone());
    assert_eq!(delete.what, "DELETE /api/v1/namespaces/shop/pods/web-0");
    assert_eq!(delete.body["preconditions"]["uid"], sandbox.uid.as_str());
    assert_eq!(delete.body["preconditions"]["resourceVersion"], "6");
    assert_eq!(event.what, "POST /api/v1/namespaces/shop/events");
    assert_eq!(event.body["reason"], "DeleteBrokenPod");
    assert_eq!(event.body["type"], "Warning");
    assert_eq!(event.body["involvedObject"]["uid"], sandbox.uid.as_str());
    expect_metric(&agent, "delete", "success", 1);

    // The next pod of this name is as broken: deleting does not help.
    let next = Sandbox { uid: "uid-of-the-next".to_owned(), ..sandbox };
    lab.api.put(broken(&next, POD));
    agent.wait_for("not repaired yet: another pod of this name was deleted a moment ago");
    assert_eq!(lab.api.changes().len(), 2);
}

#[test]
fn a_broken_pod_is_labeled_unless_it_has_the_label() {
    let lab = Lab::new();
    let pod = Scene::new(&lab.node, "pod").pod;
    let sandbox = Sandbox::of(&pod, "web-0");
    put_healthy_pods(&lab, &sandbox);
    let labeled = Sandbox { name: "labeled".to_owned(), uid: "uid-labeled".to_owned(), ..sandbox.clone() };
    let mut labeled = broken(&labeled, POD);
    labeled["metadata"]["labels"] = json!({"cni.istio.io/uninitialized": ""});
    lab.api.put(labeled);
    lab.api.put(broken(&sandbox, POD));
    let agent = lab.start_with(&["--repair-label-pods"]);
    wait_until("the event is written", || lab.api.changes().len() == 2);
    let [patch, event] = [0, 1].map(|number| lab.api.changes()[number].clone());
    assert_eq!(patch.what, "PATCH /api/v1/namespaces/shop/pods/web-0/status");
    assert_eq!(patch.content_type, "application/merge-patch+json");
    assert_eq!(
        patch.body,
        json!({"metadata": {"labels": {"cni.istio.io/uninitialized": "true"}}})
    );
    assert_eq!(event.body["reason"], "LabelBrokenPod");
    wait_until("both are counted", || {
        get(agent.metrics, "/metrics").1.contains("result=\"skip\"} 1")
    });
    expect_metric(&agent, "label", "success", 1);
}

#[test]
fn what_the_api_server_refuses_is_counted_and_told() {
    let lab = Lab::new();
    let pod = Scene::new(&lab.node, "pod").pod;
    let sandbox = Sandbox::of(&pod, "web-0");
    lab.api.set_read_only();
    lab.api.put(broken(&sandbox, POD));
    let mut agent = lab.start_with(&["--repair-delete-pods"]);
    agent.wait_for("Failed to repair a pod, trying again: ");
    expect_metric(&agent, "delete", "fail", 1);
    let message = lab.api.changes()[1].body["message"].to_string();
    assert!(
        message.contains("failed to delete") && message.contains("nothing may be changed"),
        "{message}"
    );
}

#[test]
fn nothing_becomes_of_broken_pods_unless_somebody_says_what() {
    let lab = Lab::new();
    let scene = Scene::new(&lab.node, "pod");
    let sandbox = Sandbox::of(&scene.pod, "web-0");
    let _process = idle(&scene.pod.app());
    lab.api.put(broken(&sandbox, POD));
    for flags in [&[][..], &["--repair-enabled=false", "--repair-repair-pods", "--repair-delete-pods"]] {
        let agent = lab.start_with(flags);
        wait_until("the agent is ready", || agent.readiness().0 == 200);
        let (code, log) = agent.stop();
        assert_eq!(code, Some(0));
        assert!(!log.iter().any(|line| line.contains("repair")), "{log:#?}");
    }
    assert!(lab.enrollments().is_empty() && lab.api.changes().is_empty());
}
