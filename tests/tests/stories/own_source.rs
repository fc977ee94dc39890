// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Packets from outside that are made to look as if they came from inside the pod.

use rstest::rstest;
use testkit::{
    Node,
    scene::{Outcome, Scene, Stack, outcome_of},
};

/// Whoever is on the link may send to these addresses. For IPv4 the pod has to let them in, and may have inherited
/// that from a node where kube-proxy has set it.
#[rstest]
#[case::v4("4", "127.128.0.1:15001", "10.99.0.1", "ECONNREFUSED")]
#[case::v4_inbound_port("4", "127.160.0.1:15006", "10.99.0.1", "ECONNREFUSED")]
#[case::v6("6", "[fd69:6e74:6572:6365::8000:1]:15001", "fd99::1", "ECONNREFUSED")]
// The pod refuses it to itself.
#[case::v6_from_an_address_of_the_pod("6", "[fd69:6e74:6572:6365::8000:1]:15001", "fd99::2", "ETIMEDOUT")]
fn a_slot_is_entered_from_inside_only(
    #[case] family: &str,
    #[case] slot: &str,
    #[case] source: &str,
    #[case] errno: &str,
) {
    let node = Node::new();
    let scene = Scene::with_stack(&node, "pod", Stack::Dual);
    let _servers = scene.serve(8081);
    scene.pod.enroll(&["--dual-stack"]);
    let _sidecar = scene.sidecar(&[]);
    assert_eq!(scene.outbound(), Outcome::ThroughSidecar, "slots are in use");
    scene.pod.namespace().sysctl("net.ipv4.conf.all.route_localnet", "1");
    scene.outside.sysctl("net.ipv4.conf.all.route_localnet", "1");
    scene.outside.ip("addr del 127.0.0.1/8 dev lo
        addr add fd99::2/128 dev lo nodad
        route add 127.128.0.0/9 via 10.99.0.2 src 10.99.0.1
        route add fd69:6e74:6572:6365::/64 via fd99::3");
    let report = scene.outside.root().connect(slot, &["--family", family, "--bind", source]);
    assert_eq!(outcome_of(&report), Outcome::Failed(format!("connect:{errno}")));
    assert!(node.counters().get("slot_from_outside").is_some_and(|count| *count >= 1));
    assert_eq!(scene.outbound(), Outcome::ThroughSidecar);
}

/// IPv6 only: the kernel drops such packets of IPv4. `docs/differences.md` has a row for it.
#[test]
fn a_packet_with_an_address_of_the_pod_as_its_source_counts_as_from_inside() {
    let node = Node::new();
    let scene = Scene::with_stack(&node, "pod", Stack::V6);
    let _servers = scene.serve(8081);
    scene.pod.enroll(&[]);
    let _sidecar = scene.sidecar(&[]);
    scene.outside.ip("addr add fd99::2/128 dev lo nodad");
    let report = scene
        .outside
        .root()
        .connect("[fd99::3]:8080", &["--family", "6", "--bind", "fd99::2"]);
    assert_eq!(outcome_of(&report), Outcome::Failed("connect:ETIMEDOUT".to_owned()));
    let counters = node.counters();
    assert!(
        counters.get("from_inside_pod").is_some_and(|count| *count >= 1),
        "{counters:#?}"
    );
    assert_eq!(counters.get("inbound_port_included"), None);
}
