// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Addresses that come or go after the pod was enrolled: no connection fails because of that.

use rstest::rstest;
use testkit::{
    Node, Process,
    records::Connection,
    scene::{Outcome, SERVER, SERVER_V6, Scene, Stack, outcome_of},
};

fn enrolled(node: &Node) -> (Scene<'_>, [Process; 3]) {
    let scene = Scene::with_stack(node, "pod", Stack::Dual);
    let [app, server] = scene.serve(8081);
    scene.pod.enroll(&["--dual-stack"]);
    // Onward from an address that stays.
    scene
        .pod
        .namespace()
        .ip("addr add 10.99.0.200/24 dev eth0\naddr add fd99::200/64 dev eth0 nodad");
    let sidecar = scene.pod.proxy().sidecar(&[
        "--source",
        "10.99.0.200",
        "--source",
        "fd99::200",
        "--bind",
        "0.0.0.0",
        "--bind",
        "::",
    ]);
    (scene, [app, server, sidecar])
}

#[rstest]
#[case::v4("10.99.0.100", SERVER)]
#[case::v6("fd99::100", SERVER_V6)]
fn an_address_that_comes_later_is_a_source_like_others(#[case] late: &str, #[case] to: &str) {
    let node = Node::new();
    let (scene, [_app, _server, mut sidecar]) = enrolled(&node);
    scene.pod.namespace().ip(&format!(
        "addr add {late}/32 dev eth0{}",
        if late.contains(':') { " nodad" } else { "" }
    ));
    let family = if late.contains(':') { "6" } else { "4" };
    let report = scene.pod.app().connect(to, &["--family", family, "--bind", late]);
    assert_eq!(outcome_of(&report), Outcome::ThroughSidecar, "{report:#?}");
    let seen: Connection = sidecar.json();
    assert_eq!(
        (seen.peer.ip(), seen.original_destination),
        (late.parse().expect("an address"), to.parse().ok())
    );
    assert_eq!(node.counters().get("slot_from_outside"), None);
}

#[rstest]
#[case::v4("4", SERVER)]
#[case::v6("6", SERVER_V6)]
fn a_pod_that_lost_its_address_connects(
    #[case] family: &str,
    #[case] to: &str,
    #[values(&[], &["--bind", "[::]:40000"], &["--bind", "0.0.0.0:40000"])] bind: &[&str],
) {
    if bind.last().is_some_and(|bind| bind.starts_with('[') != (family == "6")) {
        return; // a source of the other family
    }
    let node = Node::new();
    let (scene, [_app, _server, mut sidecar]) = enrolled(&node);
    let namespace = scene.pod.namespace();
    namespace.ip("addr del 10.99.0.2/24 dev eth0
        addr replace 10.99.0.200/24 dev eth0
        addr del fd99::2/64 dev eth0
        addr del fd99::3/64 dev eth0
        route replace default via 10.99.0.1
        route replace default via fd99::1");
    let report = scene.pod.app().connect(to, &[&["--family", family], bind].concat());
    assert_eq!(outcome_of(&report), Outcome::ThroughSidecar, "{report:#?}");
    let seen: Connection = sidecar.json();
    assert_eq!(seen.original_destination, to.parse().ok());
    assert_eq!(node.counters().get("slot_from_outside"), None);
}
