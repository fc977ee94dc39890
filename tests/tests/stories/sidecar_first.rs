// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A sidecar that listened before its pod was enrolled gets what comes after.

use std::fs;

use rstest::rstest;
use testkit::{
    Node, PROXY_UID, Process,
    istio_rules::DEFAULT_FLAGS,
    scene::{Outcome, Scene},
    wait_until,
};

use crate::meddle::pause_before_enforcing;

const REDIRECTED: [Outcome; 2] = [Outcome::ThroughSidecar, Outcome::ThroughSidecar];

#[rstest]
#[case::one_socket(&[])]
#[case::a_group(&["--reuse-port", "3"])]
fn enrolling_finds_the_sidecar(#[case] flags: &[&str]) {
    let node = Node::new();
    let scene = Scene::new(&node, "pod");
    let _servers = scene.serve(8081);
    let sidecar = scene.sidecar(flags);
    assert_eq!([scene.outbound(), scene.inbound()], [Outcome::Direct, Outcome::Direct]);
    scene.pod.enroll(&[]);
    assert_eq!([scene.outbound(), scene.inbound()], REDIRECTED);

    scene.pod.clean();
    scene.pod.enroll(&[]);
    assert_eq!([scene.outbound(), scene.inbound()], REDIRECTED, "enrolled again");

    sidecar.kill();
    assert_eq!([scene.outbound(), scene.inbound()], [Outcome::refused(), Outcome::refused()]);
}

/// Whoever is in the sidecar's group may give a socket to that group. That does not make it the sidecar's.
#[test]
fn enrolling_does_not_take_a_listener_for_it_that_was_given_to_its_group() {
    let node = Node::new();
    let scene = Scene::new(&node, "pod");
    let _servers = scene.serve(8081);
    let member = scene.pod.app().group(PROXY_UID);
    let flags = ["--give-to-group", "1337", "0.0.0.0:15001", "0.0.0.0:15006"];
    let foreign = member.serve("foreign", &flags);
    scene.pod.enroll(&[]);
    assert_eq!([scene.outbound(), scene.inbound()], [Outcome::refused(), Outcome::refused()]);
    assert!(foreign.stop().lines.is_empty(), "the foreign process took connections");
}

#[test]
fn enrolling_does_not_take_a_foreign_listener_for_it() {
    let node = Node::new();
    let scene = Scene::new(&node, "pod");
    let _servers = scene.serve(8081);
    let foreign = scene.pod.app().serve("foreign", &["0.0.0.0:15001", "0.0.0.0:15006"]);
    scene.pod.enroll(&[]);
    assert_eq!([scene.outbound(), scene.inbound()], [Outcome::refused(), Outcome::refused()]);
    assert!(foreign.stop().lines.is_empty(), "the foreign process took connections");
}

/// It does so after the loader has looked for listeners, and before the pod is enrolled.
#[test]
fn a_sidecar_that_begins_to_listen_at_the_last_moment_is_found() {
    let node = Node::new();
    let scene = Scene::new(&node, "pod");
    let _servers = scene.serve(8081);
    let mut command = pause_before_enforcing(scene.pod.enroll_command(DEFAULT_FLAGS), node.work());
    let loader = Process::spawn("interceptor", &mut command);
    wait_until("the loader is about to enroll the pod", || node.work().join("waits").exists());
    let _sidecar = scene.sidecar(&[]);
    fs::write(node.work().join("goes-on"), "").expect("let the loader go on");
    assert!(loader.finish().status.success());
    assert_eq!([scene.outbound(), scene.inbound()], REDIRECTED);
}
