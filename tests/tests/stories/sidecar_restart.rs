// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The sidecar comes and goes without the loader: connections are refused while nobody listens, and never pass by it.

use rstest::rstest;
use testkit::{
    Backend, Node, Process,
    records::{Connection, Listener, Tally},
    scene::{APP, Outcome, SERVER, Scene, Stack},
};

#[rstest]
fn a_killed_sidecar_is_not_bypassed(
    #[values(Backend::Iptables, Backend::Ebpf)] backend: Backend,
    #[values(Stack::V4, Stack::V6)] stack: Stack,
) {
    let node = Node::new();
    let scene = Scene::with_stack(&node, "pod", stack);
    let _servers = scene.serve(8081);
    backend.enroll_stack(&scene.pod, stack);
    for _ in 0..3 {
        let sidecar = scene.sidecar(&[]);
        assert_eq!(
            [scene.outbound(), scene.inbound()],
            [Outcome::ThroughSidecar, Outcome::ThroughSidecar]
        );
        sidecar.kill();
        assert_eq!([scene.outbound(), scene.inbound()], [Outcome::refused(), Outcome::refused()]);
    }
}

/// Each member of the group is replaced by a new one while connections keep coming; there is always one that listens.
#[rstest]
#[case::iptables(Backend::Iptables)]
#[case::ebpf(Backend::Ebpf)]
fn members_of_a_group_are_replaced_under_load(#[case] backend: Backend) {
    let node = Node::new();
    let scene = Scene::new(&node, "pod");
    let _servers = scene.serve(8081);
    backend.enroll(&scene.pod);
    let member = || scene.sidecar(&["--reuse-port", "1"]);
    let mut group = [member(), member(), member()];
    let load = [scene.pod.app().load(SERVER), scene.outside.root().load(APP)];

    for _ in 0..3 {
        for place in &mut group {
            let mut new = member();
            wait_for_both(&mut new);
            std::mem::replace(place, new).stop();
        }
    }
    for load in load {
        let Tally { succeeded, failed } = tally(load);
        assert!(succeeded > 0);
        // What a member had accepted, or the kernel had queued for it, ends with it. Nothing is refused, and nothing
        // waits until its time limit.
        assert!(
            failed.keys().all(|failure| Tally::BROKEN_OFF.contains(&failure.as_str())),
            "{succeeded} succeeded, {failed:?}"
        );
    }
    for member in group {
        member.stop();
    }
    assert_eq!(
        [scene.outbound(), scene.inbound()],
        [Outcome::refused(), Outcome::refused()],
        "nobody listens"
    );
    let _sidecar = member();
    assert_eq!(
        [scene.outbound(), scene.inbound()],
        [Outcome::ThroughSidecar, Outcome::ThroughSidecar]
    );
}

/// The member registered last goes first: the others still take connections.
#[rstest]
#[case::first_to_last([0, 0, 0])]
#[case::last_to_first([2, 1, 0])]
#[case::middle_first([1, 1, 0])]
fn the_rest_of_a_group_carries_on(#[case] order: [usize; 3]) {
    let node = Node::new();
    let scene = Scene::new(&node, "pod");
    let _servers = scene.serve(8081);
    scene.pod.enroll(&[]);
    let mut group: Vec<Process> = (0..3).map(|_| scene.sidecar(&["--reuse-port", "1"])).collect();
    for index in order {
        assert_eq!(
            [scene.outbound(), scene.inbound()],
            [Outcome::ThroughSidecar, Outcome::ThroughSidecar],
            "{} listen",
            group.len()
        );
        group.remove(index).stop();
    }
    assert_eq!(
        [scene.outbound(), scene.inbound()],
        [Outcome::refused(), Outcome::refused()],
        "nobody listens"
    );
}

/// Reads a sidecar's lines until it has taken connections in both directions.
fn wait_for_both(sidecar: &mut Process) {
    let mut missing = vec![Listener::Outbound, Listener::Inbound];
    while !missing.is_empty() {
        let Connection { listener, .. } = sidecar.json();
        missing.retain(|wanted| *wanted != listener);
    }
}

/// Ends a load, and tells what became of it.
pub(crate) fn tally(mut load: Process) -> Tally {
    load.close_stdin();
    load.json()
}
