// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Each way out of the pod past the redirection, without the guard and with it.

use rstest::rstest;
use testkit::{
    Node,
    scene::{SERVER, SERVER_V6},
};

use super::{ALL_DNS, BEYOND_EXCLUDED, NOTHING, TPROXY, V4, V6, Who, can_guard, leaving, scene};

/// Each way is tried without the guard first. There the packet has to arrive, so the test can fail.
#[rstest]
#[case::a_process_outside_of_the_cgroup(Who::Outsider, &[], "tcp", SERVER, &[], "guard_outsider", "tcp 10.99.0.1:80")]
#[case::a_process_outside_of_the_cgroup_v6(
    Who::Outsider, &[], "tcp", SERVER_V6, &[], "guard_outsider", "tcp [fd99::1]:80"
)]
#[case::under_tproxy(Who::Outsider, TPROXY, "tcp", SERVER, &[], "guard_outsider", "tcp 10.99.0.1:80")]
#[case::under_tproxy_v6(Who::Outsider, TPROXY, "tcp", SERVER_V6, &[], "guard_outsider", "tcp [fd99::1]:80")]
#[case::a_socket_made_outside_of_the_cgroup(
    Who::Migrated, ALL_DNS, "udp", "10.99.0.1:53", &[], "guard_outsider", "udp 10.99.0.1:53"
)]
#[case::a_question_from_outside_of_the_cgroup(
    Who::Outsider, ALL_DNS, "udp", "10.99.0.1:53", &[], "guard_outsider", "udp 10.99.0.1:53"
)]
#[case::a_question_from_outside_of_the_cgroup_v6(
    Who::Outsider, ALL_DNS, "udp", "[fd99::1]:53", &[], "guard_outsider", "udp [fd99::1]:53"
)]
#[case::a_raw_socket(Who::Root, &[], "raw", SERVER, &[], "guard_raw_socket", "tcp 10.99.0.1:80")]
#[case::a_raw_socket_v6(Who::Root, &[], "raw", SERVER_V6, &[], "guard_raw_socket", "tcp [fd99::1]:80")]
#[case::a_source_route(
    Who::Root, &[], "tcp", "10.98.0.1:80", &["--by", V4], "guard_redirected", "tcp 10.99.0.1:15001"
)]
#[case::a_routing_header(
    Who::App, &[], "tcp", "[fd98::1]:80", &["--by", V6], "guard_redirected", "tcp [fd99::1]:15001"
)]
#[case::a_source_route_to_an_excluded_range(
    Who::Root, BEYOND_EXCLUDED, "tcp", "10.98.0.1:80", &["--by", V4], "guard_source_route", "tcp 10.99.0.1:80"
)]
#[case::a_routing_header_to_an_excluded_range(
    Who::App, BEYOND_EXCLUDED, "tcp", "[fd98::1]:80", &["--by", V6], "guard_source_route", "tcp [fd99::1]:80"
)]
fn what_would_leave_past_the_redirection_is_dropped(
    #[case] who: Who,
    #[case] enrolled: &[&str],
    #[case] how: &str,
    #[case] to: &str,
    #[case] flags: &[&str],
    #[case] label: &str,
    #[case] on_the_wire: &str,
) {
    let node = Node::new();
    let scene = scene(&node);
    if !can_guard(&scene) {
        return;
    }
    let enrolled = [&["--dual-stack"], enrolled].concat();
    scene.pod.enroll(&[&["--guard", "off"], &enrolled[..]].concat());
    assert_eq!(leaving(&scene, who, how, to, flags), [on_the_wire], "without the guard");
    assert_eq!(node.counters().get(label), None, "without the guard");

    scene.pod.enroll(&[&["--guard", "on"], &enrolled[..]].concat());
    assert_eq!(leaving(&scene, who, how, to, flags), NOTHING, "with the guard");
    assert_eq!(node.counters().get(label), Some(&1), "{:?}", node.counters());
}

/// The connection is made over `lo`. What it carries then goes to a machine that is not the sidecar, and can read.
#[test]
fn data_of_a_redirected_connection_does_not_leave_by_a_routing_header() {
    let node = Node::new();
    let scene = scene(&node);
    if !can_guard(&scene) {
        return;
    }
    let _servers = scene.serve(8081);
    let _sidecar = scene.sidecar(&[]);
    let data = "segment [fd99::1]:15001".to_owned();
    // The sidecar's own connection arrives as well.
    let arrives = || leaving(&scene, Who::App, "tcp", SERVER_V6, &["--by", V6, "--later"]).contains(&data);
    scene.pod.enroll(&["--dual-stack", "--guard", "off"]);
    assert!(arrives(), "without the guard");
    scene.pod.enroll(&["--dual-stack", "--guard", "on"]);
    assert!(!arrives(), "with the guard");
    assert!(node.counters().get("guard_redirected").is_some_and(|count| *count > 0));
}

/// Enrolling makes the agent's addresses local at every interface. An interface that goes down and comes up again has
/// no such route. IPv4 refuses such a question by itself, because its source is a loopback address.
#[rstest]
#[case::of_a_socket("--unicast-interface")]
#[case::of_a_message("--message-interface")]
fn a_question_that_names_an_interface_does_not_leave_by_it(#[case] names: &str) {
    let node = Node::new();
    let scene = scene(&node);
    if !can_guard(&scene) {
        return;
    }
    let enroll = |guard| {
        scene.pod.enroll(&[&["--dual-stack", "--guard", guard], ALL_DNS].concat());
        let routes = ["127.0.0.1", "::1"].map(|agent| format!("route del local {agent} dev eth0 table local"));
        scene.pod.namespace().ip(&routes.join("\n"));
    };
    enroll("off");
    let leave = || leaving(&scene, Who::App, "udp", "[fd99::1]:53", &[names, "eth0"]);
    assert_eq!(leave(), ["udp [::1]:15053"], "without the guard");
    enroll("on");
    assert_eq!(leave(), NOTHING, "with the guard");
    assert_eq!(node.counters().get("guard_redirected"), Some(&1), "{:?}", node.counters());
}

/// Enrolling refuses a pod whose `lo` does not have `127.0.0.0/8`. Then something takes it away.
#[test]
fn a_redirected_connection_does_not_leave_where_lo_does_not_have_the_slots() {
    let node = Node::new();
    let scene = scene(&node);
    if !can_guard(&scene) {
        return;
    }
    scene.pod.enroll(&["--dual-stack", "--guard", "on"]);
    scene
        .pod
        .namespace()
        .ip("addr del 127.0.0.1/8 dev lo\naddr add 127.0.0.1/32 dev lo");
    assert_eq!(leaving(&scene, Who::App, "tcp", SERVER, &[]), NOTHING);
    assert_eq!(node.counters().get("guard_redirected"), Some(&1));
}

/// The same without the guard.
#[test]
fn without_the_guard_it_leaves() {
    let node = Node::new();
    let scene = scene(&node);
    scene.pod.enroll(&["--dual-stack", "--guard", "off"]);
    scene
        .pod
        .namespace()
        .ip("addr del 127.0.0.1/8 dev lo\naddr add 127.0.0.1/32 dev lo");
    let left = leaving(&scene, Who::App, "tcp", SERVER, &[]);
    assert!(is_to_a_slot(&left, "tcp 127."), "{left:?}");
}

/// Enrolling makes the network of the IPv6 slots local. Then something takes that back.
#[test]
fn a_redirected_connection_does_not_leave_where_the_ipv6_slots_are_not_local() {
    let node = Node::new();
    let scene = scene(&node);
    if !can_guard(&scene) {
        return;
    }
    let take_back = || {
        let slots = "route del local fd69:6e74:6572:6365::/64 dev lo table local";
        scene.pod.namespace().ip(slots);
    };
    scene.pod.enroll(&["--dual-stack", "--guard", "off"]);
    take_back();
    let left = leaving(&scene, Who::App, "tcp", SERVER_V6, &[]);
    assert!(is_to_a_slot(&left, "tcp [fd69:6e74:6572:6365:"), "{left:?}");
    scene.pod.enroll(&["--dual-stack", "--guard", "on"]);
    take_back();
    assert_eq!(leaving(&scene, Who::App, "tcp", SERVER_V6, &[]), NOTHING);
    assert_eq!(node.counters().get("guard_redirected"), Some(&1));
}

fn is_to_a_slot(packets: &[String], network: &str) -> bool {
    matches!(packets, [packet] if packet.starts_with(network) && packet.ends_with(":15001"))
}
