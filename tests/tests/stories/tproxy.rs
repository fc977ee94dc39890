// SPDX-License-Identifier: Apache-2.0 OR MIT
//! TPROXY: the application sees its client's address, with the sidecar in between.

use std::collections::BTreeSet;

use rstest::rstest;
use testkit::{
    Backend, Node, Pod, Process, Run,
    istio_rules::DEFAULT_FLAGS,
    records::{Connection, Listener, Report},
    scene::{Outcome, Scene, Stack, outcome_of, sidecar_flags},
};

/// As Istio runs it: root, so that it may have transparent sockets, in the sidecar's group.
pub(crate) fn sidecar(scene: &Scene<'_>) -> Process {
    scene
        .pod
        .proxy_as(0, 1337)
        .sidecar(&[&["--keep-client", "1337"], sidecar_flags(scene.stack)].concat())
}

pub(crate) fn enroll(scene: &Scene<'_>, more: &[&str]) {
    scene
        .pod
        .enroll(&[&["-m", "TPROXY"], scene.stack.enroll_flags(), more].concat());
}

/// What `ip` says in the pod.
fn ip(pod: &Pod<'_>, arguments: &[&str]) -> String {
    let run = Run::of_line(&[&["ip", "-n", pod.namespace().name()], arguments].concat());
    run.expect_success();
    run.stdout
}

fn client(scene: &Scene<'_>) -> Report {
    scene.outside.root().connect(scene.app(), scene.client_flags())
}

#[rstest]
fn the_application_sees_the_client(
    #[values(Backend::Iptables, Backend::Ebpf, Backend::Rules)] backend: Backend,
    #[values(Stack::V4, Stack::V6)] stack: Stack,
) {
    let node = Node::new();
    let scene = Scene::with_stack(&node, "pod", stack);
    let _servers = scene.serve(8081);
    backend.enroll_tproxy(&scene.pod, stack);
    let mut sidecar = sidecar(&scene);

    let report = client(&scene);
    let greeting = report.greeting();
    assert_eq!(greeting.name, "app");
    assert_eq!(
        Some(greeting.peer.ip()),
        report.local.map(|local| local.ip()),
        "the application's getpeername is the client"
    );
    assert_eq!(Some(greeting.local), report.peer, "the application's getsockname");
    let Connection { listener, peer, local, original_destination, upstream_local, .. } = sidecar.json();
    assert_eq!(listener, Listener::Inbound);
    assert_eq!(Some(peer), report.local, "the sidecar's getpeername");
    assert_eq!(
        local,
        scene.app().parse().expect("an address"),
        "the sidecar's getsockname is what was dialed"
    );
    assert_eq!(original_destination, Some(local));
    assert_eq!(upstream_local, Some(greeting.peer));

    assert_eq!(scene.outbound(), Outcome::ThroughSidecar);
}

#[rstest]
fn a_port_without_an_application_is_reset(#[values(Backend::Iptables, Backend::Ebpf)] backend: Backend) {
    let node = Node::new();
    let scene = Scene::new(&node, "pod");
    backend.enroll_tproxy(&scene.pod, Stack::V4);
    let mut sidecar = sidecar(&scene);
    let report = client(&scene);
    assert!(
        matches!(outcome_of(&report), Outcome::Failed(error) if error.ends_with("ECONNRESET")),
        "{report:?}"
    );
    let connection: Connection = sidecar.json();
    let refused = connection.refused.expect("the sidecar could not connect");
    assert!(
        refused.contains("Connection refused"),
        "at once, and not after a timeout: {refused}"
    );
}

#[test]
fn without_a_sidecar_connections_are_refused() {
    let node = Node::new();
    let scene = Scene::new(&node, "pod");
    let _servers = scene.serve(8081);
    enroll(&scene, &[]);
    assert_eq!([scene.outbound(), scene.inbound()], [Outcome::refused(), Outcome::refused()]);
}

#[test]
fn many_connections_in_the_names_of_clients_stay_apart() {
    let node = Node::new();
    let scene = Scene::new(&node, "pod");
    let _servers = scene.serve(8081);
    enroll(&scene, &[]);
    let _sidecar = sidecar(&scene);
    let mut held: Vec<_> = (0..50)
        .map(|_| scene.outside.root().hold(scene.app(), scene.client_flags()))
        .collect();
    for (index, connection) in held.iter_mut().enumerate() {
        connection.expect_echo(&format!("connection {index}"));
    }
}

/// The pod's end of the connection from 10.99.0.1:40000 to 10.99.0.2:8080, by its inode.
fn sockets_of_the_first(pod: &Pod<'_>) -> BTreeSet<String> {
    const ESTABLISHED: &str = "0200630A:1F90 0100630A:9C40 01";
    let mut list = pod.proxy_as(0, 0).command("/bin/cat");
    list.arg("/proc/net/tcp");
    let run = Run::of(list);
    run.expect_success();
    run.stdout
        .lines()
        .filter(|line| line.contains(ESTABLISHED))
        .filter_map(|line| line.split_whitespace().nth(9).map(str::to_owned))
        .collect()
}

/// Listed in `docs/differences.md`.
#[rstest]
#[case::reset(Backend::Iptables, false)]
#[case::kept(Backend::Ebpf, true)]
fn a_sidecar_that_takes_a_port_of_its_client_resets_the_other_connection_only_under_iptables(
    #[case] backend: Backend,
    #[case] kept: bool,
) {
    let node = Node::new();
    let scene = Scene::new(&node, "pod");
    let _servers = scene.serve(8081);
    backend.enroll_tproxy(&scene.pod, Stack::V4);
    let _sidecar = sidecar(&scene);
    let mut first = scene.outside.root().hold(scene.app(), &["--bind", "10.99.0.1:40000"]);
    first.expect_echo("from the client's port 40000");
    let before = sockets_of_the_first(&scene.pod);
    let second = scene.pod.proxy_as(0, 0).carry_out(
        "out tcp 10.99.0.2:8080 user=0:1337 bind=10.99.0.1 mark=1337 port transparent",
        40_000,
    );
    let gone = before.difference(&sockets_of_the_first(&scene.pod)).count();
    assert_eq!((before.len(), gone), (1, usize::from(!kept)), "{second:?}");
    if kept {
        assert_eq!(second.connect_error(), Some("ETIMEDOUT"), "there cannot be both: {second:?}");
        first.expect_echo("still from there");
    }
}

#[test]
fn the_routing_of_marked_packets_is_set_up_once() {
    let node = Node::new();
    let scene = Scene::with_stack(&node, "pod", Stack::Dual);
    let _servers = scene.serve(8081);
    for more in [&[][..], &["--force-apply"], &["--reconcile", "-o", "9"]] {
        enroll(&scene, more);
        for family in ["-4", "-6"] {
            assert_eq!(ip(&scene.pod, &[family, "rule"]).matches("fwmark 0x539 lookup 133").count(), 1);
            assert!(ip(&scene.pod, &[family, "route", "show", "table", "133"]).starts_with("local default dev lo"));
        }
    }
    let _sidecar = sidecar(&scene);
    assert_eq!(scene.inbound(), Outcome::ThroughSidecar);
}

#[test]
fn a_table_in_use_is_refused() {
    let node = Node::new();
    let scene = Scene::new(&node, "pod");
    let _servers = scene.serve(8081);
    scene.pod.namespace().ip("route add default via 10.99.0.1 table 133");
    let run = scene.pod.try_enroll(&[DEFAULT_FLAGS, &["-m", "TPROXY"]].concat());
    assert_eq!(run.code, Some(1), "{run}");
    assert!(run.output().contains("table 133 has a default route already"), "{run}");
    assert_eq!([scene.outbound(), scene.inbound()], [Outcome::Direct, Outcome::Direct]);
    assert!(node.enrolled().is_empty(), "{:#?}", node.enrolled());
    enroll(&scene, &["-r", "134"]);
}

#[test]
fn it_ends_and_begins_anew() {
    let node = Node::new();
    let scene = Scene::new(&node, "pod");
    let _servers = scene.serve(8081);
    let _sidecar = sidecar(&scene);
    let sees_the_client = || {
        let report = client(&scene);
        report.greeting().peer.ip() == report.local.expect("a connection").ip()
    };
    enroll(&scene, &[]);
    assert!(sees_the_client());
    scene.pod.clean();
    assert_eq!(scene.inbound(), Outcome::Direct, "cleaned");
    enroll(&scene, &["-d", "8080"]);
    assert_eq!(scene.inbound(), Outcome::Direct, "excluded");
    enroll(&scene, &["--reconcile"]);
    assert_eq!(
        [scene.outbound(), scene.inbound()],
        [Outcome::ThroughSidecar, Outcome::ThroughSidecar]
    );
}

#[test]
fn a_dry_run_shows_the_routing_and_does_nothing() {
    let node = Node::new();
    let scene = Scene::new(&node, "pod");
    let run = scene
        .pod
        .try_enroll(&[DEFAULT_FLAGS, &["-m", "TPROXY", "-t", "77", "-r", "88", "--dry-run"]].concat());
    run.expect_success();
    for step in ["ip rule fwmark 77 lookup 88", "local default dev lo table 88", "net.ipv4.tcp_fwmark_accept=1"] {
        assert!(run.stdout.contains(step), "{run}");
    }
    assert!(!ip(&scene.pod, &["rule"]).contains("fwmark"));
}
