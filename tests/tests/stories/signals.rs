// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Signals that interrupt the loader change nothing of what it does and says.

use testkit::{
    Node, Run,
    istio_rules::DEFAULT_FLAGS,
    scene::{Outcome, Scene},
};

use crate::meddle::interrupt;

#[test]
fn what_the_kernel_can_do_is_found_out_all_the_same() {
    let node = Node::new();
    let check = || node.command(&["check", "-o", "json"]);
    let features = |run: Run| -> serde_json::Value { run.json() };
    assert_eq!(features(Run::of(interrupt(check()))), features(Run::of(check())));
}

#[test]
fn a_pod_is_enrolled_all_the_same() {
    let node = Node::new();
    let scene = Scene::new(&node, "pod");
    let _servers = scene.serve(8081);
    let _sidecar = scene.sidecar(&[]);
    let command = scene.pod.enroll_command(&[DEFAULT_FLAGS, &["--force-accelerate"]].concat());
    Run::of(interrupt(command)).expect_success();
    assert_eq!(
        [scene.outbound(), scene.inbound()],
        [Outcome::ThroughSidecar, Outcome::ThroughSidecar]
    );
}
