// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Excluded interfaces: what passes through them is left alone, as the routes were when the pod was enrolled.

use testkit::{
    Node,
    istio_rules::DEFAULT_FLAGS,
    scene::{Outcome, SERVER, Scene, outcome, outcome_of},
};

/// On the second interface.
const NEIGHBOR: &str = "10.98.0.1:80";
const POD_THERE: &str = "10.98.0.2:8080";

fn scene(node: &Node) -> Scene<'_> {
    let scene = Scene::new(node, "pod");
    scene
        .pod
        .namespace()
        .connect("eth1", &["10.98.0.2/24"], &scene.outside, &["10.98.0.1/24"]);
    scene
}

#[test]
fn the_others_are_intercepted() {
    let node = Node::new();
    let scene = scene(&node);
    let _servers = scene.serve(8081);
    scene.pod.enroll(&["-c", "eth1"]);
    let _sidecar = scene.sidecar(&[]);
    assert_eq!(
        [scene.outbound(), scene.inbound()],
        [Outcome::ThroughSidecar, Outcome::ThroughSidecar]
    );
    assert_eq!(
        [outcome(&scene.pod.app(), NEIGHBOR), outcome(&scene.outside.root(), POD_THERE)],
        [Outcome::Direct, Outcome::Direct]
    );
}

#[test]
fn a_socket_that_is_bound_to_one_is_left_alone() {
    let node = Node::new();
    let scene = scene(&node);
    let _servers = scene.serve(8081);
    scene.outside.ip("addr add 10.97.0.1/32 dev lo");
    scene.pod.namespace().ip("route add 10.97.0.1 via 10.98.0.1 metric 100");
    scene.pod.namespace().ip("route add 10.97.0.1 via 10.99.0.1 metric 50");
    scene.pod.enroll(&["-c", "eth1"]);
    let _sidecar = scene.sidecar(&[]);
    assert_eq!(
        outcome(&scene.pod.app(), "10.97.0.1:80"),
        Outcome::ThroughSidecar,
        "by the better route"
    );
    assert_eq!(
        outcome_of(&scene.pod.app().connect("10.97.0.1:80", &["--device", "eth1"])),
        Outcome::Direct,
        "by the interface"
    );
}

/// Sent to the sidecar by that interface, it would leave the pod.
#[test]
fn a_socket_that_is_bound_to_one_is_refused_where_it_would_be_redirected() {
    let node = Node::new();
    let scene = scene(&node);
    let _servers = scene.serve(8081);
    scene.pod.enroll(&[]);
    let _sidecar = scene.sidecar(&[]);
    for (client, device) in [(scene.pod.app(), "eth0"), (scene.pod.app(), "eth1"), (scene.pod.proxy(), "lo")] {
        assert_eq!(
            outcome_of(&client.connect(SERVER, &["--device", device])),
            Outcome::refused(),
            "{device}"
        );
    }
    let counters = node.counters();
    assert_eq!(counters.get("bound_to_interface"), Some(&3));
    assert_eq!(counters.get("local_destination"), None);
    // Istio's rules take what the application sends by `lo` for local, wherever it is to go. Nobody answers there.
    assert!(matches!(
        outcome_of(&scene.pod.app().connect(SERVER, &["--device", "lo"])),
        Outcome::Failed(_)
    ));
    assert_eq!(node.counters().get("local_destination"), Some(&1));
    assert_eq!(
        outcome_of(&scene.pod.app().connect("127.0.0.1:8080", &["--device", "lo"])),
        Outcome::Direct
    );
    assert_eq!(
        outcome_of(&scene.pod.proxy().connect(SERVER, &["--device", "eth0"])),
        Outcome::Direct
    );
}

#[test]
fn a_route_that_changes_counts_when_the_command_is_run_again() {
    let node = Node::new();
    let scene = scene(&node);
    let _servers = scene.serve(8081);
    scene.pod.enroll(&["-c", "eth1"]);
    let _sidecar = scene.sidecar(&[]);
    let look = || outcome(&scene.pod.app(), SERVER);
    assert_eq!(look(), Outcome::ThroughSidecar);
    scene.pod.namespace().ip("route add 10.99.0.1/32 via 10.98.0.1");
    assert_eq!(look(), Outcome::ThroughSidecar, "as the routes were");
    scene.pod.enroll(&["-c", "eth1"]);
    assert_eq!(look(), Outcome::Direct, "as they are");
}

#[test]
fn an_interface_that_comes_later_is_named_and_counts_when_the_command_is_run_again() {
    let node = Node::new();
    let scene = Scene::new(&node, "pod");
    let _servers = scene.serve(8081);
    let run = scene.pod.try_enroll(&[DEFAULT_FLAGS, &["-c", "eth1"]].concat());
    run.expect_success();
    assert!(run.output().contains("no interface eth1"), "{run}");
    let _sidecar = scene.sidecar(&[]);
    scene
        .pod
        .namespace()
        .connect("eth1", &["10.98.0.2/24"], &scene.outside, &["10.98.0.1/24"]);
    assert_eq!(
        [outcome(&scene.pod.app(), NEIGHBOR), outcome(&scene.outside.root(), POD_THERE)],
        [Outcome::ThroughSidecar, Outcome::ThroughSidecar]
    );
    scene.pod.enroll(&["-c", "eth1"]);
    assert_eq!(
        [outcome(&scene.pod.app(), NEIGHBOR), outcome(&scene.outside.root(), POD_THERE)],
        [Outcome::Direct, Outcome::Direct]
    );
}

#[test]
fn routing_by_source_is_refused() {
    let node = Node::new();
    let scene = scene(&node);
    let _servers = scene.serve(8081);
    scene.pod.namespace().ip("rule add from 10.98.0.2 lookup 100 pref 777");
    let run = scene.pod.try_enroll(&[DEFAULT_FLAGS, &["-c", "eth1"]].concat());
    assert_eq!(run.code, Some(1), "{run}");
    assert!(run.output().contains("`ip rule` 777"), "{run}");
    assert_eq!([scene.outbound(), scene.inbound()], [Outcome::Direct, Outcome::Direct]);
    scene.pod.enroll(&[]);
}
