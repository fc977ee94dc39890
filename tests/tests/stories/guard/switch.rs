// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The guard is switched by enrolling again, covers the interfaces that there are then, and goes with its pod.

use testkit::{
    Node,
    istio_rules::DEFAULT_FLAGS,
    scene::{Outcome, SERVER, Scene, outcome},
};

use super::can_guard;

const NEIGHBOR: &str = "10.98.0.1:80";

/// The pins of the guard's links.
fn links(node: &Node) -> usize {
    let pins = node.pins().into_iter();
    let of_pods = pins.filter(|pin| pin.components().any(|part| part.as_os_str() == "pods"));
    of_pods
        .filter(|pin| {
            pin.file_name()
                .is_some_and(|name| name.to_string_lossy().starts_with("on_guard"))
        })
        .count()
}

#[test]
fn it_is_on_unless_it_is_switched_off_and_status_tells() {
    let node = Node::new();
    let scene = Scene::new(&node, "pod");
    if !can_guard(&scene) {
        return;
    }
    let pins = node.pins();
    let guarded = || {
        let status = node.run(&["status"]);
        let line = status.stdout.lines().find_map(|line| line.trim().strip_prefix("guarded"));
        line.unwrap_or_else(|| panic!("{status}")).trim().to_owned()
    };
    scene.pod.enroll(&[]);
    assert_eq!((guarded().as_str(), links(&node)), ("1 interface", 1));
    scene.pod.enroll(&["--guard", "off"]);
    assert_eq!((guarded().as_str(), links(&node)), ("no", 0));
    scene.pod.enroll(&["--guard", "on"]);
    assert_eq!((guarded().as_str(), links(&node)), ("1 interface", 1));
    scene.pod.clean();
    assert_eq!(node.pins(), pins, "nothing is left");
    scene.pod.enroll(&[]);
    node.run(&["clean", "--all"]).expect_success();
    assert_eq!(node.pins(), pins, "nothing is left");
}

#[test]
fn an_interface_that_comes_later_is_guarded_when_the_command_is_run_again() {
    let node = Node::new();
    let scene = Scene::new(&node, "pod");
    if !can_guard(&scene) {
        return;
    }
    scene.pod.enroll(&[]);
    let pod = scene.pod.namespace();
    pod.connect("eth1", &["10.98.0.2/24"], &scene.outside, &["10.98.0.1/24"]);
    let _outside = scene.outside.root().serve("outside", &["0.0.0.0:80"]);
    let outsider = scene.pod.app().cgroup(scene.outside.cgroup().to_owned());
    let leave = |to| outsider.leave("tcp", to, &[], "10.99.0.1:9");
    assert_eq!(outcome(&outsider, NEIGHBOR), Outcome::Direct, "not guarded yet");

    scene.pod.enroll(&[]);
    assert_eq!(links(&node), 2);
    for (dropped, to) in [(1, NEIGHBOR), (2, SERVER)] {
        leave(to);
        assert_eq!(node.counters().get("guard_outsider"), Some(&dropped), "{to}");
    }

    pod.ip("link del eth1");
    scene.pod.enroll(&[]);
    assert_eq!(links(&node), 1, "the link of the interface that went is gone");
    pod.connect("eth1", &["10.98.0.2/24"], &scene.outside, &["10.98.0.1/24"]);
    scene.pod.enroll(&[]);
    assert_eq!(links(&node), 2);
    leave(NEIGHBOR);
    assert_eq!(node.counters().get("guard_outsider"), Some(&3));
}

/// The kernel takes some ten milliseconds for each, and a container with `CAP_NET_ADMIN` can make as many as it likes.
#[test]
fn a_pod_with_more_interfaces_than_can_be_guarded_keeps_the_policy_that_it_has() {
    let node = Node::new();
    let scene = Scene::new(&node, "pod");
    if !can_guard(&scene) {
        return;
    }
    let _servers = scene.serve(8081);
    scene.pod.enroll(&[]);
    let _sidecar = scene.sidecar(&[]);
    let pairs: Vec<String> = (0..64)
        .map(|number| format!("link add a{number} type veth peer name b{number}"))
        .collect();
    scene.pod.namespace().ip(&pairs.join("\n"));
    let run = scene.pod.try_enroll(DEFAULT_FLAGS);
    assert_eq!(run.code, Some(1), "{run}");
    assert!(
        run.stderr.contains("has 129 interfaces, of which at most 128 can be guarded"),
        "{run}"
    );
    assert_eq!(links(&node), 1);
    assert_eq!(scene.outbound(), Outcome::ThroughSidecar);
    scene.pod.enroll(&["--guard", "off"]);
    assert_eq!(scene.outbound(), Outcome::ThroughSidecar);
}

#[test]
fn explain_tells_what_becomes_of_a_process_outside_of_the_cgroup() {
    let node = Node::new();
    let scene = Scene::new(&node, "pod");
    if !can_guard(&scene) {
        return;
    }
    let netns = scene.pod.namespace().path().display().to_string();
    let explain = |uid: &str| {
        let run = node.run(&["explain", "--netns", &netns, "--uid", uid, "--outside-cgroup", SERVER]);
        run.expect_success();
        run.stdout
    };
    scene.pod.enroll(&[]);
    assert!(explain("1000").contains("is dropped") && explain("1000").contains("[guard_outsider]"));
    assert!(explain("1337").contains("is not redirected") && explain("1337").contains("[proxy_owner]"));
    scene.pod.enroll(&["--guard", "off"]);
    assert!(explain("1000").contains("leaves the pod unredirected"), "{}", explain("1000"));
}
