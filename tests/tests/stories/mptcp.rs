// SPDX-License-Identifier: Apache-2.0 OR MIT
//! MPTCP: the kernel makes the sockets that connect and listen, on behalf of those that processes made.

use interceptor_tests::{Launcher, Node, Run, istio_rules::DEFAULT_FLAGS, records::Greeting, scene::Scene};
use rstest::rstest;

/// As one in Go does: its `net.Listen` takes MPTCP if it can.
#[rstest]
#[case::prefers_mptcp(&["--mptcp"])]
#[case::uses_tcp(&[])]
fn a_sidecar_is_reached_whichever_it_prefers(#[case] flags: &[&str]) {
    let node = Node::new();
    let scene = Scene::new(&node, "pod");
    scene.pod.enrol(&[]);
    let _application = scene.pod.app().serve("app", &["0.0.0.0:8080"]);
    let _sidecar = scene.pod.proxy().serve("sidecar", &[flags, &["0.0.0.0:15001", "0.0.0.0:15006"]].concat());
    let outbound: Greeting = scene.pod.app().connect("10.50.1.7:80", &[]).greeting();
    assert_eq!((outbound.name.as_str(), outbound.original_destination), ("sidecar", "10.50.1.7:80".parse().ok()), "{outbound:#?}");
    let inbound: Greeting = scene.outside.root().connect("10.99.0.2:8080", &[]).greeting();
    assert_eq!(inbound.name, "sidecar", "{inbound:#?}");
}

/// Listed in `docs/differences.md`.
#[test]
fn a_sidecar_gets_no_mptcp_socket_and_the_application_does() {
    let node = Node::new();
    let scene = Scene::new(&node, "pod");
    scene.pod.enrol(&[]);
    let make = "import socket; socket.socket(socket.AF_INET, socket.SOCK_STREAM, 262)";
    let run = |launcher: Launcher| {
        let mut command = launcher.command("/usr/bin/python3");
        command.args(["-c", make]);
        Run::of(command)
    };
    run(scene.pod.app()).expect_success();
    let refused = run(scene.pod.proxy());
    assert!(refused.output().contains("Errno 92"), "{refused}");
}

#[test]
fn a_sidecar_that_listens_by_mptcp_already_is_told_to_be_restarted() {
    let node = Node::new();
    let scene = Scene::new(&node, "pod");
    let listen = || scene.pod.proxy().serve("sidecar", &["--mptcp", "0.0.0.0:15001", "0.0.0.0:15006"]);
    let sidecar = listen();
    let run = scene.pod.try_enrol(DEFAULT_FLAGS);
    run.expect_success();
    assert!(run.output().contains("listens on the sidecar's port by MPTCP"), "{run}");
    assert_eq!(scene.pod.app().connect("10.50.1.7:80", &[]).connect_error(), Some("ECONNREFUSED"));
    sidecar.kill();
    let _sidecar = listen();
    assert_eq!(scene.pod.app().connect("10.50.1.7:80", &[]).greeting().name, "sidecar");
}
