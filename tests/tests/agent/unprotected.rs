// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Pods that run without interception, and in which no container waits for it.

use rstest::rstest;
use serde_json::{Value, json};
use testkit::{
    Launcher, Process, Run,
    scene::{Outcome, POD, Scene},
    wait_until,
};

use crate::{
    lab::{Agent, Lab, get, refusal},
    sandbox::Sandbox,
};

/// The pod, at work. It has no container that looks whether it is intercepted.
fn at_work(sandbox: &Sandbox) -> Value {
    let mut pod = sandbox.injected();
    pod["spec"]["initContainers"] = json!([]);
    pod["status"] = json!({
        "phase": "Running",
        "podIPs": [{"ip": POD}],
        "containerStatuses": [
            {"name": "app", "state": {"running": {"startedAt": "2026-01-01T00:00:00Z"}}},
            {"name": "istio-proxy", "state": {"running": {"startedAt": "2026-01-01T00:00:00Z"}}},
        ],
    });
    pod
}

/// A process that does nothing.
fn idle(launcher: &Launcher) -> Process {
    Process::spawn("idle process", &mut launcher.command("cat"))
}

fn has_metric(agent: &Agent, line: &str) -> bool {
    get(agent.metrics, "/metrics").1.lines().any(|found| found == line)
}

fn status(lab: &Lab) -> Run {
    lab.node.run(&["status", "--run-dir", &lab.run_dir().display().to_string()])
}

#[test]
fn a_pod_that_runs_without_interception_is_counted_shown_and_told_of_once_and_left_as_it_is() {
    let lab = Lab::new();
    let scene = Scene::new(&lab.node, "pod");
    let sandbox = Sandbox::of(&scene.pod, "web-0");
    let _process = idle(&scene.pod.app());
    lab.api.put(at_work(&sandbox));
    let agent = lab.start_with(&["--repair-repair-pods"]);
    wait_until("it is counted", || has_metric(&agent, "interceptor_pods_unprotected 1"));
    assert!(lab.enrollments().is_empty());
    let changes = lab.api.changes();
    assert_eq!(changes.len(), 1, "{changes:#?}");
    assert_eq!(changes[0].what, "POST /api/v1/namespaces/shop/events");
    assert_eq!(changes[0].body["reason"], "NotIntercepted");
    assert_eq!(changes[0].body["involvedObject"]["uid"], sandbox.uid.as_str());

    // Also while the agent is away, and the next one does not tell again.
    agent.kill();
    let shown = status(&lab);
    assert!(
        shown.stdout.contains("Pod shop/web-0 (") && shown.stdout.contains("NONE: "),
        "{shown}"
    );
    let agent = lab.start();
    wait_until("it is counted again", || has_metric(&agent, "interceptor_pods_unprotected 1"));
    assert_eq!(lab.api.changes().len(), 1);

    lab.expect_enrolled(&sandbox);
    let shown = status(&lab);
    assert!(!shown.stdout.contains("NONE"), "{shown}");
    lab.api.put(at_work(&sandbox));
    wait_until("it is not counted any more", || {
        has_metric(&agent, "interceptor_pods_unprotected 0")
    });
}

#[test]
fn a_pod_that_runs_without_interception_is_intercepted_if_somebody_asks_for_that() {
    let lab = Lab::new();
    let scene = Scene::new(&lab.node, "pod");
    let sandbox = Sandbox::of(&scene.pod, "web-0");
    let _servers = scene.serve(8081);
    let _sidecar = scene.sidecar(&[]);
    assert_eq!(scene.outbound(), Outcome::Direct);
    lab.api.put(at_work(&sandbox));
    let mut agent = lab.start_with(&["--repair-adopt-running"]);
    agent.wait_for("intercepted a pod that ran without");
    assert_eq!(scene.outbound(), Outcome::ThroughSidecar);
    assert_eq!(lab.records()[0].pod.to_string(), "shop/web-0");
    assert!(has_metric(
        &agent,
        "istio_cni_repair_pods_repaired_total{type=\"repair\",result=\"success\"} 1"
    ));
    assert!(lab.api.changes().is_empty(), "nobody has to do anything");
}

#[test]
fn pods_that_need_no_interception_or_have_it_are_not_counted() {
    let lab = Lab::new();
    let scenes = ["open", "by_hand", "other"].map(|name| Scene::new(&lab.node, name));
    let [open, by_hand, other] = [0, 1, 2].map(|number| Sandbox::of(&scenes[number].pod, &format!("web-{number}")));
    let _processes = [0, 1, 2].map(|number| idle(&scenes[number].pod.app()));
    scenes[1].pod.enroll(&[]);
    lab.api.put(at_work(&by_hand));
    // All of them would be found, and are open.
    let change = |name: &str, change: &dyn Fn(&mut Value)| {
        let mut pod = at_work(&Sandbox { name: name.to_owned(), ..other.clone() });
        change(&mut pod);
        lab.api.put(pod);
    };
    change("not-injected", &|pod| pod["metadata"]["annotations"] = json!({}));
    change("of-the-host", &|pod| pod["spec"]["hostNetwork"] = true.into());
    change("excluded", &|pod| pod["metadata"]["namespace"] = "kube-system".into());
    change("over", &|pod| pod["status"]["phase"] = "Succeeded".into());
    change("ending", &|pod| {
        pod["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z".into();
    });
    change("waiting", &|pod| {
        pod["status"]["containerStatuses"] = json!([{"name": "app", "state": {"waiting": {}}}]);
    });
    lab.api.put(at_work(&open));
    let agent = lab.start_with(&["--exclude-namespaces", "kube-system", "--repair-adopt-running=false"]);
    wait_until("the open pod is counted", || {
        has_metric(&agent, "interceptor_pods_unprotected 1")
    });
    let told: Vec<String> = lab
        .api
        .changes()
        .iter()
        .map(|event| event.body["involvedObject"]["name"].to_string())
        .collect();
    assert_eq!(told, ["\"web-0\""]);
}

/// A container with `CAP_NET_ADMIN` can write as many as it likes.
#[test]
fn a_pod_with_more_rules_than_can_be_looked_at_hides_no_other_and_fills_no_memory() {
    let lab = Lab::new();
    let scenes = ["many", "other"].map(|name| Scene::new(&lab.node, name));
    let sandboxes = [0, 1].map(|number| Sandbox::of(&scenes[number].pod, &format!("web-{number}")));
    let _processes = [0, 1].map(|number| idle(&scenes[number].pod.app()));
    for sandbox in &sandboxes {
        lab.api.put(at_work(sandbox));
    }
    let agent = lab.start();
    wait_until("both are counted", || has_metric(&agent, "interceptor_pods_unprotected 2"));
    // Of 152 bytes each.
    let rules = format!("*nat\n:MANY - [0:0]\n{}COMMIT\n", "-A MANY -j RETURN\n".repeat(250_000));
    Run::with_input(scenes[0].pod.namespace().root().command("iptables-legacy-restore"), &rules).expect_success();

    let status = status(&lab);
    status.expect_success();
    for name in ["shop/web-0", "shop/web-1"] {
        assert!(status.stdout.contains(&format!("Pod {name}")), "{status}");
    }
    assert!(status.stderr.contains("more than 32 MiB"), "{status}");
    let (code, msg, _) = refusal(sandboxes[0].check(&lab.socket()).expect("an answer"));
    assert_eq!(code, 100);
    assert!(msg.contains("more than 32 MiB"), "{msg}");
}

#[rstest]
#[case::legacy("iptables-legacy-restore")]
#[case::nf_tables("iptables-nft-restore")]
fn a_running_pod_with_istios_own_rules_is_left_to_them(#[case] restore: &str) {
    let lab = Lab::new();
    let scenes = ["by_rules", "open"].map(|name| Scene::new(&lab.node, name));
    let sandboxes = [0, 1].map(|number| Sandbox::of(&scenes[number].pod, &format!("web-{number}")));
    let _processes = [0, 1].map(|number| idle(&scenes[number].pod.app()));
    let rules = "*nat\n:ISTIO_OUTPUT - [0:0]\n-A OUTPUT -p tcp -j ISTIO_OUTPUT\nCOMMIT\n";
    Run::with_input(scenes[0].pod.namespace().root().command(restore), rules).expect_success();
    lab.api.put(at_work(&sandboxes[0]));
    lab.api.put(at_work(&sandboxes[1]));
    let mut agent = lab.start_with(&["--repair-repair-pods", "--repair-adopt-running"]);
    agent.wait_for("intercepted a pod that ran without");
    let enrolled: Vec<u64> = lab.enrollments().into_iter().map(|(cookie, _)| cookie).collect();
    assert_eq!(enrolled, [Lab::cookie(&sandboxes[1])]);
    wait_until("none is counted", || has_metric(&agent, "interceptor_pods_unprotected 0"));
    assert!(lab.api.changes().is_empty());
}
