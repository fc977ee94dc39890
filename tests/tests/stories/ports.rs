// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Interception costs an application none of its ports.

use rstest::rstest;
use testkit::{
    Backend, Node,
    scene::{Outcome, Scene, Stack, outcome_of},
};

const DESTINATIONS: &[&str] =
    &["10.99.0.1:101", "10.99.0.1:102", "10.99.0.1:103", "10.99.0.1:104", "10.98.0.1:105", "192.0.2.1:106"];
const DESTINATIONS_V6: &[&str] = &[
    "[fd99::1]:101",
    "[fd99::1]:102",
    "[fd99::1]:103",
    "[fd99::1]:104",
    "[fd98::1]:105",
    "[2001:db8::1]:106",
];

#[rstest]
fn every_destination_has_all_ports(
    #[values(Backend::Iptables, Backend::Ebpf)] backend: Backend,
    #[values(Stack::V4, Stack::V6)] stack: Stack,
) {
    let node = Node::new();
    let scene = Scene::with_stack(&node, "pod", stack);
    scene.pod.namespace().sysctl("net.ipv4.ip_local_port_range", "32768 33791"); // 1024 of them
    scene.pod.namespace().sysctl("net.core.somaxconn", "65535");
    backend.enroll_stack(&scene.pod, stack);
    let (sink, destinations, family) = if stack.has_v6() {
        ("[::]:15001", DESTINATIONS_V6, "6")
    } else {
        ("0.0.0.0:15001", DESTINATIONS, "4")
    };
    let _sink = scene.pod.proxy().listen_only(&[sink]);

    let flags = ["--family", family, "--count", "6000", "--concurrent", "--no-receive"];
    let tally = scene.pod.app().connect_many(&flags, destinations);
    assert_eq!((tally.succeeded, tally.failed.len()), (6000, 0), "{tally:?}");
}

#[rstest]
fn one_source_port_serves_two_destinations(
    #[values(Backend::Iptables, Backend::Ebpf)] backend: Backend,
    #[values(Stack::V4, Stack::V6)] stack: Stack,
) {
    let node = Node::new();
    let scene = Scene::with_stack(&node, "pod", stack);
    let _servers = scene.serve(8081);
    backend.enroll_stack(&scene.pod, stack);
    let _sidecar = scene.sidecar(&[]);

    let (any, family, to, local) = if stack.has_v6() {
        ("[::]:40000", "6", ["[fd99::1]:80", "[fd99::1]:8081"], "[fd99::2]:40000")
    } else {
        ("0.0.0.0:40000", "4", ["10.99.0.1:80", "10.99.0.1:8081"], "10.99.0.2:40000")
    };
    let flags = ["--family", family, "--reuse-address", "--bind", any];
    let mut connections = to.map(|to| scene.pod.app().hold(to, &flags));
    for (connection, port) in connections.iter_mut().zip([80, 8081]) {
        assert_eq!(
            outcome_of(connection.report()),
            Outcome::ThroughSidecar,
            "{:?}",
            connection.report()
        );
        assert_eq!(connection.report().greeting().local.port(), port);
        assert_eq!(
            connection.report().local.map(|address| address.to_string()).as_deref(),
            Some(local)
        );
        connection.expect_echo("still there");
    }
}
