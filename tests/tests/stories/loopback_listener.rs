// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A sidecar that listens on 127.0.0.1 only gets what leaves the pod, and sees it as one that listens everywhere
//! does.

use rstest::rstest;
use testkit::{
    Backend, Node,
    records::{Connection, Listener},
    scene::{Outcome, POD, SERVER, Scene, outcome_of},
};

#[rstest]
#[case::iptables(Backend::Iptables)]
#[case::ebpf(Backend::Ebpf)]
fn outbound_works(#[case] backend: Backend) {
    let node = Node::new();
    let scene = Scene::new(&node, "pod");
    let _servers = scene.serve(8081);
    backend.enroll(&scene.pod);
    let mut sidecar = scene.sidecar(&["--bind", "127.0.0.1"]);

    let report = scene.pod.app().connect(SERVER, &[]);
    assert_eq!(outcome_of(&report), Outcome::ThroughSidecar, "{report:?}");
    let Connection { listener, peer, local, original_destination, .. } = sidecar.json();
    assert_eq!(listener, Listener::Outbound);
    assert_eq!(original_destination, Some(SERVER.parse().expect("an address")));
    assert_eq!(report.peer, original_destination, "the application's getpeername");
    assert_eq!(
        report.local.map(|address| address.ip().to_string()).as_deref(),
        Some(POD),
        "the application's getsockname"
    );
    assert_eq!(Some(peer), report.local, "the sidecar's getpeername");
    assert_eq!(local.to_string(), "127.0.0.1:15001", "the sidecar's getsockname");
    assert_eq!(scene.inbound(), Outcome::refused(), "nobody listens on the pod's address");
}
