// SPDX-License-Identifier: Apache-2.0 OR MIT
//! MPTCP: the kernel makes the sockets that connect and listen, on behalf of those that processes made.

use rstest::rstest;
use testkit::{
    APP_UID, Node, PROXY_UID,
    istio_rules::DEFAULT_FLAGS,
    records::{Failure, Greeting},
    scene::Scene,
};

/// As one in Go does: its `net.Listen` takes MPTCP if it can.
#[rstest]
#[case::prefers_mptcp(&["--mptcp"])]
#[case::uses_tcp(&[])]
fn a_sidecar_is_reached_whichever_it_prefers(#[case] flags: &[&str]) {
    let node = Node::new();
    let scene = Scene::new(&node, "pod");
    scene.pod.enroll(&[]);
    let _application = scene.pod.app().serve("app", &["0.0.0.0:8080"]);
    let _sidecar = scene
        .pod
        .proxy()
        .serve("sidecar", &[flags, &["0.0.0.0:15001", "0.0.0.0:15006"]].concat());
    let outbound: Greeting = scene.pod.app().connect("10.50.1.7:80", &[]).greeting();
    assert_eq!(
        (outbound.name.as_str(), outbound.original_destination),
        ("sidecar", "10.50.1.7:80".parse().ok()),
        "{outbound:#?}"
    );
    let inbound: Greeting = scene.outside.root().connect("10.99.0.2:8080", &[]).greeting();
    assert_eq!(inbound.name, "sidecar", "{inbound:#?}");
}

/// Listed in `docs/differences.md`.
#[test]
fn a_sidecar_gets_no_mptcp_socket_and_the_application_does() {
    let node = Node::new();
    let scene = Scene::new(&node, "pod");
    scene.pod.enroll(&[]);
    let error = |user: u32| {
        let report = scene
            .pod
            .namespace()
            .root()
            .carry_out(&format!("out mptcp 10.50.1.7:80 user={user}:{user}"), 0);
        report.error.map(|Failure { step, errno }| [step, errno].join(":"))
    };
    assert_eq!(
        error(APP_UID).as_deref(),
        Some("connect:ECONNREFUSED"),
        "it has a socket; there is no sidecar"
    );
    assert_eq!(error(PROXY_UID).as_deref(), Some("socket:ENOPROTOOPT"));
}

#[test]
fn a_sidecar_that_listens_by_mptcp_already_is_told_to_be_restarted() {
    let node = Node::new();
    let scene = Scene::new(&node, "pod");
    let listen = || {
        scene
            .pod
            .proxy()
            .serve("sidecar", &["--mptcp", "0.0.0.0:15001", "0.0.0.0:15006"])
    };
    let sidecar = listen();
    let run = scene.pod.try_enroll(DEFAULT_FLAGS);
    run.expect_success();
    assert!(run.output().contains("listens on the sidecar's port by MPTCP"), "{run}");
    assert_eq!(
        scene.pod.app().connect("10.50.1.7:80", &[]).connect_error(),
        Some("ECONNREFUSED")
    );
    sidecar.kill();
    let _sidecar = listen();
    assert_eq!(scene.pod.app().connect("10.50.1.7:80", &[]).greeting().name, "sidecar");
}
