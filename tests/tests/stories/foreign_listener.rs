// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Only the sidecar gets what is redirected to it. Under iptables it is whoever holds the port.

use rstest::rstest;
use testkit::{
    Node,
    scene::{Outcome, Scene},
};

#[rstest]
#[case::of_the_app(1000, 1000)]
#[case::of_root(0, 0)]
#[case::of_another_user(1002, 1002)]
fn a_foreign_listener_gets_nothing(#[case] uid: u32, #[case] gid: u32) {
    let node = Node::new();
    let scene = Scene::new(&node, "pod");
    let _servers = scene.serve(8081);
    scene.pod.enroll(&[]);

    let foreign = scene.pod.app_as(uid, gid).serve("foreign", &["0.0.0.0:15001", "0.0.0.0:15006"]);
    assert_eq!([scene.outbound(), scene.inbound()], [Outcome::refused(), Outcome::refused()]);
    let served = foreign.stop().lines;
    assert!(served.is_empty(), "the foreign process took connections: {served:#?}");

    let _sidecar = scene.sidecar(&[]);
    assert_eq!(
        [scene.outbound(), scene.inbound()],
        [Outcome::ThroughSidecar, Outcome::ThroughSidecar],
        "the port was free again"
    );
}
