// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What a pod gets on a node whose kernel lacks what the kernel programs need (`--on-unsupported`). The kernel has no
//! type information there, as one that was built without.

use interceptor_wire::{Answer, Did};
use rstest::rstest;
use testkit::{
    Pod, Run,
    scene::{Outcome, Scene},
    wait_until,
};

use crate::{
    lab::{Lab, get, refusal},
    sandbox::Sandbox,
};

#[test]
fn a_pod_gets_rules_where_the_node_says_so_until_its_sandbox_ends() {
    let lab = Lab::new();
    let scene = Scene::new(&lab.node, "pod");
    let _servers = scene.serve(8081);
    let _sidecar = scene.sidecar(&[]);
    let sandbox = Sandbox::of(&scene.pod, "web-0");
    lab.api.put(sandbox.injected());
    let agent = lab.start_without_btf(&["--on-unsupported", "iptables"]);
    wait_until("the agent is ready", || agent.readiness().0 == 200);
    let answer = sandbox.add(&lab.socket()).expect("an answer");
    let Answer::Done { did: Did::Enrolled, why } = answer else {
        panic!("{answer:?}")
    };
    assert!(why.contains("by rules of iptables") && why.contains("btf/vmlinux"), "{why}");
    assert_eq!(scene.outbound(), Outcome::ThroughSidecar);
    assert_eq!(scene.inbound(), Outcome::ThroughSidecar);
    assert!(lab.enrollments().is_empty());
    assert!(has_rules(&scene.pod));

    let checked = sandbox.check(&lab.socket()).expect("an answer");
    assert!(matches!(checked, Answer::Done { did: Did::Checked, .. }), "{checked:?}");
    let (_, metrics) = get(agent.metrics, "/metrics");
    assert!(
        metrics.contains("interceptor_pods_without_programs_total{outcome=\"iptables\"} 1"),
        "{metrics}"
    );
    let run_dir = lab.run_dir().display().to_string();
    let status = ["status", "--run-dir", &run_dir, "--pod", "shop/web-0"];
    let shown = lab.node.run(&status);
    shown.expect_success();
    assert!(shown.output().contains("iptables, not eBPF"), "{shown}");

    // Another agent knows the pod, and its name.
    agent.kill();
    let agent = lab.start_without_btf(&["--on-unsupported", "iptables"]);
    assert_eq!(lab.records().len(), 1);
    lab.node.run(&status).expect_success();
    // The runtime may ask for the same twice.
    let again = sandbox.add(&lab.socket()).expect("an answer");
    assert!(matches!(again, Answer::Done { did: Did::Enrolled, .. }), "{again:?}");
    sandbox.del(&lab.socket()).expect("an answer");
    assert!(!has_rules(&scene.pod));
    assert!(lab.records().is_empty());
    assert_eq!(scene.outbound(), Outcome::Direct);
    agent.kill();
}

#[rstest]
#[case::refused(&[], "This kernel lacks what is needed")]
#[case::said(&["--on-unsupported", "fail"], "This kernel lacks what is needed")]
fn by_default_a_pod_fails(#[case] arguments: &[&str], #[case] message: &str) {
    let lab = Lab::new();
    let pod = Scene::new(&lab.node, "pod").pod;
    let sandbox = Sandbox::of(&pod, "web-0");
    lab.api.put(sandbox.injected());
    let agent = lab.start_without_btf(arguments);
    let (_code, msg, _) = refusal(sandbox.add(&lab.socket()).expect("an answer"));
    assert!(msg.contains(message), "{msg}");
    assert!(!has_rules(&pod) && lab.records().is_empty());
    wait_until("the agent says why it is not ready", || {
        agent.readiness().1.contains("the kernel lacks something")
    });
}

#[test]
fn a_pod_starts_open_where_the_node_says_so_and_is_counted() {
    let lab = Lab::new();
    let pod = Scene::new(&lab.node, "pod").pod;
    let sandbox = Sandbox::of(&pod, "web-0");
    lab.api.put(sandbox.injected());
    let agent = lab.start_without_btf(&["--on-unsupported=skip"]);
    wait_until("the agent is ready", || agent.readiness().0 == 200);
    let answer = sandbox.add(&lab.socket()).expect("an answer");
    let Answer::Done { did: Did::Skipped, why } = answer else {
        panic!("{answer:?}")
    };
    assert!(why.contains("kernel lacks something"), "{why}");
    assert!(!has_rules(&pod) && lab.records().is_empty());
    let (_, metrics) = get(agent.metrics, "/metrics");
    assert!(
        metrics.contains("interceptor_pods_without_programs_total{outcome=\"skipped\"} 1"),
        "{metrics}"
    );
}

#[test]
fn a_pod_may_ask_for_rules_itself() {
    let lab = Lab::new();
    let pod = Scene::new(&lab.node, "pod").pod;
    let sandbox = Sandbox::of(&pod, "web-0");
    let mut wanted = sandbox.injected();
    wanted["metadata"]["annotations"]["interceptor.dev/data-path"] = "iptables".into();
    lab.api.put(wanted);
    let _agent = lab.start_synced();
    lab.expect_enrolled(&sandbox);
    assert!(has_rules(&pod) && lab.enrollments().is_empty());
    sandbox.del_without_namespace(&lab.socket()).expect("an answer");
    assert!(lab.records().is_empty(), "the rules go with the namespace");
}

fn has_rules(pod: &Pod<'_>) -> bool {
    ["iptables-legacy-save", "iptables-nft-save"].iter().any(|program| {
        let saved = Run::of(pod.namespace().root().command(program));
        saved.expect_success();
        saved.stdout.contains("ISTIO_OUTPUT")
    })
}
