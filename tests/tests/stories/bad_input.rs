// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What cannot be done is refused, by name, and nothing has changed.

use rstest::rstest;
use testkit::{
    Node, Run,
    istio_rules::DEFAULT_FLAGS,
    scene::{Outcome, Scene},
};

#[rstest]
#[case::port_is_a_word(&["-p", "abc"], 1, "abc")]
#[case::port_is_too_large(&["-p", "70000"], 1, "70000")]
#[case::inbound_port_is_too_large(&["-z", "70000"], 1, "70000")]
#[case::excluded_port_is_a_word(&["-o", "80,abc"], 1, "abc")]
#[case::range_without_mask(&["-i", "10.0.0.0"], 1, "10.0.0.0")]
#[case::excluded_range_is_everything(&["-x", "*"], 1, "--istio-service-exclude-cidr")]
#[case::unknown_flag(&["--no-such-flag"], 255, "no-such-flag")]
#[case::bad_boolean(&["--redirect-dns=perhaps"], 255, "perhaps")]
#[case::netns_is_missing(&["--netns", "/nonexistent"], 1, "/nonexistent")]
#[case::netns_is_a_file(&["--netns", "/etc/passwd"], 1, "/etc/passwd")]
#[case::cgroup_is_missing(&["--cgroup", "/nonexistent"], 1, "/nonexistent")]
#[case::cgroup_is_a_directory(&["--cgroup", "/tmp"], 1, "/tmp")]
fn is_refused(#[case] flags: &[&str], #[case] code: i32, #[case] named: &str) {
    let node = Node::new();
    let scene = Scene::new(&node, "pod");
    let _servers = scene.serve(8081);
    let place = scene.pod.place();
    // The pod's true place, unless the flags say where.
    let place = place
        .chunks(2)
        .filter(|pair| !flags.contains(&pair[0].as_str()))
        .flatten()
        .map(String::as_str);
    let arguments: Vec<&str> = ["istio-iptables"]
        .into_iter()
        .chain(DEFAULT_FLAGS.iter().copied())
        .chain(flags.iter().copied())
        .chain(place)
        .collect();
    expect_refusal(&scene, &node.run(&arguments), code, named);
}

#[test]
fn without_privileges_is_refused() {
    let node = Node::new();
    let scene = Scene::new(&node, "pod");
    let _servers = scene.serve(8081);
    let mut command = scene.pod.app_as(1002, 1002).command(&node.interceptor().display().to_string());
    command
        .arg("istio-iptables")
        .args(DEFAULT_FLAGS)
        .args(scene.pod.place())
        .arg("--bpffs")
        .arg(node.bpffs());
    let run = Run::of(command);
    let denied = ["ermission", "EPERM", "EACCES", "permitted", "CAP_"]
        .iter()
        .any(|word| run.output().contains(word));
    assert!(denied, "the message says that privileges are missing: {run}");
    expect_refusal(&scene, &run, 1, "");
}

/// The running enrollment stays as it is when a new one is refused.
#[test]
fn an_enrolled_pod_keeps_its_configuration() {
    let node = Node::new();
    let scene = Scene::new(&node, "pod");
    let _servers = scene.serve(8081);
    scene.pod.enroll(&[]);
    let _sidecar = scene.sidecar(&[]);
    let run = scene
        .pod
        .try_enroll(&[DEFAULT_FLAGS, &["--reconcile", "-o", "80,abc"]].concat());
    assert_eq!(run.code, Some(1), "{run}");
    assert_eq!(
        [scene.outbound(), scene.inbound()],
        [Outcome::ThroughSidecar, Outcome::ThroughSidecar]
    );
}

fn expect_refusal(scene: &Scene<'_>, run: &Run, code: i32, named: &str) {
    assert_eq!(run.code, Some(code), "{run}");
    assert!(run.output().contains(named), "the message names {named}: {run}");
    assert!(!run.output().contains("panicked"), "{run}");
    let enrolled = scene.pod.node().enrolled();
    assert!(enrolled.is_empty(), "{enrolled:#?}");
    assert_eq!([scene.outbound(), scene.inbound()], [Outcome::Direct, Outcome::Direct]);
}
