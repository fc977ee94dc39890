// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `--run-validation --skip-rule-apply`, as the container `istio-validation` runs it: with the sidecar's user, before
//! the sidecar.

use rstest::rstest;
use testkit::{
    Backend, Node, Run,
    istio_rules::DEFAULT_FLAGS,
    scene::{Scene, Stack},
};

fn validate(scene: &Scene<'_>, more: &[&str]) -> Run {
    let node = scene.pod.node();
    let mut command = scene.pod.proxy().command(&node.interceptor().display().to_string());
    command
        .arg("istio-iptables")
        .args(DEFAULT_FLAGS)
        .args(["--run-validation", "--skip-rule-apply"])
        .args(more)
        .arg("--bpffs")
        .arg(node.bpffs());
    Run::of(command)
}

/// The connection that it makes is of the pod's family.
#[rstest]
fn succeeds_in_an_enrolled_pod(
    #[values(Backend::Iptables, Backend::Ebpf, Backend::Rules)] backend: Backend,
    #[values(Stack::V4, Stack::V6)] stack: Stack,
    #[values("REDIRECT", "TPROXY")] mode: &str,
) {
    let node = Node::new();
    let scene = Scene::with_stack(&node, "pod", stack);
    if mode == "TPROXY" {
        backend.enroll_tproxy(&scene.pod, stack);
    } else {
        backend.enroll_stack(&scene.pod, stack);
    }
    let run = validate(&scene, &["-m", mode, "--probe-timeout", "60s"]);
    assert_eq!(run.code, Some(0), "{run}");
}

#[rstest]
fn fails_in_a_pod_that_is_not(
    #[values(Stack::V4, Stack::V6)] stack: Stack,
    #[values("REDIRECT", "TPROXY")] mode: &str,
) {
    let node = Node::new();
    let scene = Scene::with_stack(&node, "pod", stack);
    let run = validate(&scene, &["-m", mode]);
    assert_eq!(run.code, Some(126), "{run}");
    assert!(run.output().contains("validation failed"), "{run}");
    assert!(node.enrolled().is_empty(), "{:#?}", node.enrolled());
}
