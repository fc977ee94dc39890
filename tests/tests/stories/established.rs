// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Connections outlive the enrollment of their pod, and its end. Under iptables they are reset.

use rstest::rstest;
use testkit::{
    Node,
    scene::{APP, Outcome, SERVER, Scene, Stack, outcome_of},
};

#[test]
fn enrolling_leaves_established_connections_alone() {
    let node = Node::new();
    let scene = Scene::new(&node, "pod");
    let _servers = scene.serve(8081);
    let mut outbound = scene.pod.app().hold(SERVER, &[]);
    let mut inbound = scene.outside.root().hold(APP, &[]);

    scene.pod.enroll(&[]);
    outbound.expect_echo("after enrolling");
    inbound.expect_echo("after enrolling");
    assert_eq!(
        [scene.outbound(), scene.inbound()],
        [Outcome::refused(), Outcome::refused()],
        "new connections wait for the sidecar"
    );

    let _sidecar = scene.sidecar(&[]);
    assert_eq!(
        [scene.outbound(), scene.inbound()],
        [Outcome::ThroughSidecar, Outcome::ThroughSidecar]
    );
    outbound.expect_echo("beside the sidecar");
    inbound.expect_echo("beside the sidecar");
}

#[rstest]
fn cleaning_leaves_established_connections_alone_and_lets_new_ones_pass(#[values(Stack::V4, Stack::V6)] stack: Stack) {
    let node = Node::new();
    let scene = Scene::with_stack(&node, "pod", stack);
    let _servers = scene.serve(8081);
    scene.pod.enroll(&[]);
    let _sidecar = scene.sidecar(&[]);
    let mut outbound = scene.pod.app().hold(scene.server(), scene.client_flags());
    let mut inbound = scene.outside.root().hold(scene.app(), scene.client_flags());
    assert_eq!(
        [outcome_of(outbound.report()), outcome_of(inbound.report())],
        [Outcome::ThroughSidecar, Outcome::ThroughSidecar]
    );

    scene.pod.clean();
    outbound.expect_echo("after cleaning");
    inbound.expect_echo("after cleaning");
    assert_eq!([scene.outbound(), scene.inbound()], [Outcome::Direct, Outcome::Direct]);
}
