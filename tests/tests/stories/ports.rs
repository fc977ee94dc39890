// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Interception costs an application none of its ports.

use interceptor_tests::{
    Backend, Node,
    scene::{Scene, Way, way_of},
};
use rstest::rstest;

const DESTINATIONS: &[&str] = &["10.99.0.1:101", "10.99.0.1:102", "10.99.0.1:103", "10.99.0.1:104", "10.98.0.1:105", "192.0.2.1:106"];

#[rstest]
#[case::iptables(Backend::Iptables)]
#[case::ebpf(Backend::Ebpf)]
fn every_destination_has_all_ports(#[case] backend: Backend) {
    let node = Node::new();
    let scene = Scene::new(&node, "pod");
    scene.pod.namespace().sysctl("net.ipv4.ip_local_port_range", "32768 33791"); // 1024 of them
    scene.pod.namespace().sysctl("net.core.somaxconn", "65535");
    backend.enrol(&scene.pod);
    let _sink = scene.pod.proxy().listen_only(&["0.0.0.0:15001"]);

    let tally = scene.pod.app().connect_many(&["--count", "6000", "--concurrent", "--no-receive"], DESTINATIONS);
    assert_eq!((tally.succeeded, tally.failed.len()), (6000, 0), "{tally:?}");
}

#[rstest]
#[case::iptables(Backend::Iptables)]
#[case::ebpf(Backend::Ebpf)]
fn one_source_port_serves_two_destinations(#[case] backend: Backend) {
    let node = Node::new();
    let scene = Scene::new(&node, "pod");
    let _servers = scene.serve(8081);
    backend.enrol(&scene.pod);
    let _sidecar = scene.sidecar(&[]);

    let flags = ["--reuse-address", "--bind", "0.0.0.0:40000"];
    let mut connections = ["10.99.0.1:80", "10.99.0.1:8081"].map(|to| scene.pod.app().hold(to, &flags));
    for (connection, port) in connections.iter_mut().zip([80, 8081]) {
        assert_eq!(way_of(connection.report()), Way::ThroughSidecar, "{:?}", connection.report());
        assert_eq!(connection.report().greeting().local.port(), port);
        assert_eq!(connection.report().local.map(|address| address.to_string()).as_deref(), Some("10.99.0.2:40000"));
        connection.expect_echo("still there");
    }
}
