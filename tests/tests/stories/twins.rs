// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Pods are told apart by their namespaces: two with the same addresses and ports, on one node, share nothing.

use testkit::{
    Node,
    records::{Connection, Listener},
    scene::{APP, Outcome, SERVER, Scene},
};

#[test]
fn pods_with_the_same_addresses_do_not_meet() {
    let node = Node::new();
    let [left, right] = ["left", "right"].map(|name| Scene::new(&node, name));
    let _servers = [left.serve(8081), right.serve(8081)];
    left.pod.enroll(&[]);
    assert_eq!(
        [right.outbound(), right.inbound()],
        [Outcome::Direct, Outcome::Direct],
        "the other pod is not enrolled"
    );
    right.pod.enroll(&["-o", "8081"]);
    let mut left_sidecar = left.sidecar(&[]);
    assert_eq!(
        [right.outbound(), right.inbound()],
        [Outcome::refused(), Outcome::refused()],
        "the other pod's sidecar does not run"
    );
    let right_sidecar = right.sidecar(&[]);

    // The same source port to the same destination, in both at once.
    let flags = ["--bind", "10.99.0.2:40000"];
    let mut held = [&left, &right].map(|scene| scene.pod.app().hold(SERVER, &flags));
    let mut held_inbound = [&left, &right].map(|scene| scene.outside.root().hold(APP, &["--bind", "10.99.0.1:40000"]));
    for connection in held.iter_mut().chain(&mut held_inbound) {
        connection.expect_echo("here");
    }
    let seen: [Connection; 2] = [left_sidecar.json(), left_sidecar.json()];
    assert_eq!(
        seen.map(|connection| connection.listener),
        [Listener::Outbound, Listener::Inbound]
    );

    right_sidecar.kill();
    assert_eq!(
        [left.outbound(), left.inbound()],
        [Outcome::ThroughSidecar, Outcome::ThroughSidecar]
    );
    assert_eq!([right.outbound(), right.inbound()], [Outcome::refused(), Outcome::refused()]);

    right.pod.clean();
    assert_eq!(
        [left.outbound(), left.inbound()],
        [Outcome::ThroughSidecar, Outcome::ThroughSidecar]
    );
    assert_eq!([right.outbound(), right.inbound()], [Outcome::Direct, Outcome::Direct]);
}
