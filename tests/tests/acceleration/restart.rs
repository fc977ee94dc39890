// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A sidecar that is killed and comes back: its connections end as they do under TCP, and new ones are accelerated.

use testkit::{
    Counters, Node,
    scene::{Outcome, SERVER, Scene},
};

fn killed_and_restarted(flags: &[&str]) -> (Vec<Result<String, String>>, u64) {
    let node = Node::new();
    let scene = Scene::new(&node, "pod");
    let _servers = scene.serve(8081);
    scene.pod.enroll(flags);
    let mut seen = Vec::new();
    for _ in 0..3 {
        let sidecar = scene.sidecar(&[]);
        assert_eq!(
            [scene.outbound(), scene.inbound()],
            [Outcome::ThroughSidecar, Outcome::ThroughSidecar]
        );
        let mut held = scene.pod.app().hold(SERVER, &[]);
        seen.push(held.try_echo("alive"));
        sidecar.kill();
        seen.push(held.try_echo("dead"));
        assert_eq!([scene.outbound(), scene.inbound()], [Outcome::refused(), Outcome::refused()]);
    }
    (seen, Counters::of_node(&node).of("accelerated"))
}

#[test]
fn a_killed_sidecar_is_noticed_as_under_tcp() {
    let (plain, none) = killed_and_restarted(&[]);
    let (accelerated, some) = killed_and_restarted(&["--accelerate"]);
    assert_eq!(accelerated, plain);
    assert!(none == 0 && some >= 9, "{some} directions were accelerated");
}
