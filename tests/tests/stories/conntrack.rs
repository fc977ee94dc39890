// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What connection tracking does with connections.

use rstest::rstest;
use testkit::{
    Backend, Node,
    scene::{Scene, Stack},
};

/// Two connections from one port to two destinations are, once translated, between the same two addresses. Listed in
/// `docs/differences.md`.
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

/// `SO_ORIGINAL_DST` of a connection that nobody redirects, at both of its ends.
#[rstest]
#[case::v4("0.0.0.0:8080", "10.99.0.2:8080", &[], ["10.99.0.2:8080", "ENOENT"])]
#[case::v4_mapped("0.0.0.0:8080", "10.99.0.2:8080", &["--family", "6-mapped"], ["10.99.0.2:8080", "ENOENT"])]
#[case::loopback("127.0.0.1:8080", "127.0.0.1:8080", &[], ["127.0.0.1:8080", "ENOENT"])]
#[case::v6("[::]:8080", "[fd99::3]:8080", &["--family", "6"], ["ENOENT", "[fd99::3]:8080"])]
fn a_connection_that_is_not_redirected_tells_its_destination(
    #[values(Backend::Iptables, Backend::Ebpf)] backend: Backend,
    #[case] listen: &str,
    #[case] to: &str,
    #[case] flags: &[&str],
    #[case] expected: [&str; 2],
) {
    let node = Node::new();
    let scene = Scene::with_stack(&node, "pod", Stack::Dual);
    backend.enroll_stack(&scene.pod, Stack::Dual);
    let _application = scene.pod.app().serve("app", &[listen]);
    let report = scene.pod.app().connect(to, flags);
    let known = |levels: &[String]| -> Vec<String> {
        // A level that is not that of the socket's family has an error of its own.
        levels
            .iter()
            .map(|level| level.replace("ENOPROTOOPT", "ENOENT").replace("EOPNOTSUPP", "ENOENT"))
            .collect()
    };
    assert_eq!(known(&report.levels), expected, "{report:#?}");
    assert_eq!(known(&report.greeting().levels), expected, "{report:#?}");
}
