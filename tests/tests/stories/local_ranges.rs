// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Local is what the kernel calls local: ranges, and not only the addresses of interfaces. And `lo` has to carry what
//! redirection uses of it.

use rstest::rstest;
use testkit::{
    Node, Run,
    istio_rules::DEFAULT_FLAGS,
    records::{Connection, Listener},
    scene::{Outcome, Scene, Stack, outcome, outcome_of},
};

#[rstest]
#[case::of_an_address("addr add 10.201.0.1/24 dev lo", "10.201.0.77:8080", "10.201.0.1")]
#[case::of_a_route("route add local 10.77.0.0/16 dev lo", "10.77.0.5:8080", "10.77.0.5")]
#[case::beside_a_narrower_route(
    "route add local 10.77.0.0/16 dev lo\nroute add 10.77.0.0/24 via 10.99.0.1",
    "10.77.1.5:8080",
    "10.77.1.5"
)]
#[case::of_another_table(
    "route add local fd78::/64 dev lo src fd99::2 table 100",
    "[fd78::5]:8080",
    "fd99::2"
)]
#[case::of_ipv6("route add local fd77::/64 dev lo src fd99::2", "[fd77::5]:8080", "fd99::2")]
fn a_local_range_is_the_pod_itself(#[case] routes: &str, #[case] to: &str, #[case] source: &str) {
    let node = Node::new();
    let scene = Scene::with_stack(&node, "pod", Stack::Dual);
    let _servers = scene.serve(8081);
    scene.pod.namespace().ip(routes);
    rule_v6(&scene, "add to fd78::/64 lookup 100");
    scene.pod.enroll(&["--dual-stack"]);
    let mut sidecar = scene.sidecar(&[]);
    let family = if to.starts_with('[') { "6" } else { "4" };
    assert_eq!(
        outcome_of(&scene.pod.app().connect(to, &["--family", family])),
        Outcome::Direct,
        "the application to itself"
    );
    assert_eq!(
        outcome_of(&scene.pod.proxy().connect(to, &["--family", family])),
        Outcome::ThroughSidecar,
        "the sidecar to its pod"
    );
    let seen: Connection = sidecar.json();
    assert_eq!(
        (seen.listener, seen.original_destination, seen.peer.ip()),
        (Listener::Inbound, to.parse().ok(), source.parse().expect("an address"))
    );
}

#[rstest]
#[case::one_address_only(
    "addr del 127.0.0.1/8 dev lo\naddr add 127.0.0.1/32 dev lo",
    "127.0.0.1/8",
    "addr add 127.0.0.1/8 dev lo"
)]
#[case::a_rule_that_leads_elsewhere(
    "rule add pref 10 lookup local
     rule del pref 0
     rule add pref 5 to 127.128.0.0/9 lookup 100
     route add default via 10.99.0.1 table 100",
    "`ip rule`",
    "rule del pref 5"
)]
#[case::down("link set lo down", "`ip link set lo up`", "link set lo up")]
fn a_loopback_interface_that_does_not_carry_slots_is_refused(
    #[case] change: &str,
    #[case] advice: &str,
    #[case] mend: &str,
) {
    let node = Node::new();
    let scene = Scene::new(&node, "pod");
    let _servers = scene.serve(8081);
    scene.pod.namespace().ip(change);
    let run = scene.pod.try_enroll(DEFAULT_FLAGS);
    assert_eq!(run.code, Some(1), "{run}");
    assert!(run.output().contains("`lo`") && run.output().contains(advice), "{run}");
    assert_eq!(node.enrolled(), [] as [std::path::PathBuf; 0]);
    let server = "10.99.0.1:80";
    assert_eq!(outcome(&scene.pod.app(), server), Outcome::Direct);

    scene.pod.namespace().ip(mend);
    scene.pod.enroll(&[]);
    let _sidecar = scene.sidecar(&[]);
    assert_eq!(outcome(&scene.pod.app(), server), Outcome::ThroughSidecar);
}

#[test]
fn a_rule_that_leads_the_slots_of_ipv6_elsewhere_is_refused() {
    let node = Node::new();
    let scene = Scene::with_stack(&node, "pod", Stack::V6);
    let _servers = scene.serve(8081);
    rule_v6(&scene, "add pref 10 lookup local");
    rule_v6(&scene, "del pref 0");
    rule_v6(&scene, "add pref 5 to fd69:6e74:6572:6365::/64 lookup 100");
    scene.pod.namespace().ip("route add default via fd99::1 table 100");
    let run = scene.pod.try_enroll(DEFAULT_FLAGS);
    assert_eq!(run.code, Some(1), "{run}");
    assert!(run.output().contains("do not send fd69:6e74:6572:6365::/64 over `lo`"), "{run}");
    assert_eq!(scene.outbound(), Outcome::Direct);

    rule_v6(&scene, "del pref 5");
    scene.pod.enroll(&[]);
    let _sidecar = scene.sidecar(&[]);
    assert_eq!(scene.outbound(), Outcome::ThroughSidecar);
}

/// `ip -6 rule ARGUMENTS`
fn rule_v6(scene: &Scene<'_>, arguments: &str) {
    let line = format!("ip -n {} -6 rule {arguments}", scene.pod.namespace().name());
    Run::of_line(&line.split(' ').collect::<Vec<_>>()).expect_success();
}
