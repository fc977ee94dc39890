// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What connection tracking does with connections, and this program does not. Listed in `docs/differences.md`.

use rstest::rstest;
use testkit::{Backend, Node, scene::Scene};

/// Two connections from one port to two destinations are, once translated, between the same two addresses.
#[rstest]
#[case::iptables(Backend::Iptables, false)]
#[case::ebpf(Backend::Ebpf, true)]
fn the_sidecar_sees_the_port_of_every_connection(#[case] backend: Backend, #[case] expected: bool) {
    let node = Node::new();
    let scene = Scene::new(&node, "pod");
    backend.enroll(&scene.pod);
    let _sidecar = scene.pod.proxy().serve("sidecar", &["0.0.0.0:15001"]);
    let held = ["10.50.1.7:80", "10.50.1.8:80"]
        .map(|to| scene.pod.app().hold(to, &["--bind", "10.99.0.2:40000", "--reuse-address"]));
    let ports = held.iter().map(|held| held.report().greeting().peer.port());
    assert_eq!(ports.collect::<Vec<_>>() == [40_000, 40_000], expected);
}

/// `SO_ORIGINAL_DST` of a connection that nobody redirects.
#[rstest]
#[case::iptables(Backend::Iptables, "10.99.0.2:8080")]
#[case::ebpf(Backend::Ebpf, "ENOENT")]
fn the_destination_of_a_connection_that_is_not_redirected(#[case] backend: Backend, #[case] expected: &str) {
    let node = Node::new();
    let scene = Scene::new(&node, "pod");
    backend.enroll(&scene.pod);
    let _application = scene.pod.app().serve("app", &["0.0.0.0:8080"]);
    let report = scene.pod.app().connect("10.99.0.2:8080", &[]);
    assert_eq!(
        (report.levels[0].as_str(), report.greeting().levels[0].as_str()),
        (expected, expected),
        "{report:#?}"
    );
}
