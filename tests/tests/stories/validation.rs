// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `--run-validation --skip-rule-apply`, as the container `istio-validation` runs it: with the sidecar's user, before
//! the sidecar.

use testkit::{Node, Run, istio_rules::DEFAULT_FLAGS, scene::Scene};

fn validate(scene: &Scene<'_>) -> Run {
    let node = scene.pod.node();
    let mut command = scene.pod.proxy().command(&node.interceptor().display().to_string());
    command
        .arg("istio-iptables")
        .args(DEFAULT_FLAGS)
        .args(["--run-validation", "--skip-rule-apply", "--bpffs"])
        .arg(node.bpffs());
    Run::of(command)
}

#[test]
fn succeeds_in_an_enrolled_pod() {
    let node = Node::new();
    let scene = Scene::new(&node, "pod");
    scene.pod.enroll(&[]);
    let run = validate(&scene);
    assert_eq!(run.code, Some(0), "{run}");
}

#[test]
fn fails_in_a_pod_that_is_not() {
    let node = Node::new();
    let scene = Scene::new(&node, "pod");
    let run = validate(&scene);
    assert_eq!(run.code, Some(126), "{run}");
    assert!(run.output().contains("validation failed"), "{run}");
    assert!(node.enrolled().is_empty(), "{:#?}", node.enrolled());
}
