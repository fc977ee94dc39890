// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Enrolling and cleaning leave nothing in the kernel, however often.

mod objects;

use std::{
    collections::BTreeSet,
    sync::atomic::{AtomicBool, AtomicU32, Ordering},
    thread,
    time::Instant,
};

use testkit::{Node, Pod, scale, scene::Scene, timeout, wait_until};

use crate::objects::{Object, of_node, some_still_loaded};

const ENROLLMENTS: u32 = 500;

#[test]
fn enrollments_leave_nothing() {
    let enrollments = scale("INTERCEPTOR_TEST_ENROLLMENTS", ENROLLMENTS, 10);
    let alone = enrollments / 5;
    let beside_another = enrollments - alone;
    let node = Node::new();
    let [pod, neighbor] = ["pod", "neighbor"].map(|name| Scene::new(&node, name).pod);
    let pins = node.pins();

    // A pod that is alone on its node comes and goes, and all objects of the node with it.
    let mut seen = come_and_go(&pod, alone);

    // The pod comes and goes beside another one, which keeps what they share.
    neighbor.enroll(&[]);
    let shared = of_node(&node);
    seen.extend(come_and_go(&pod, beside_another));
    assert!(of_node(&node).is_superset(&shared), "the neighbor keeps what it needs");
    seen.extend(shared);

    node.run(&["clean", "--all"]).expect_success();
    assert_eq!(node.pins(), pins, "pins after clean --all");
    expect_freed(&seen);
}

/// The programs of both nodes have the same names.
#[test]
fn another_node_meanwhile_does_not_count() {
    let [node, other] = [Node::new(), Node::new()];
    let [pod, neighbor] = [Scene::new(&node, "pod").pod, Scene::new(&other, "pod").pod];
    let (done, cycles) = (AtomicBool::new(false), AtomicU32::new(0));
    thread::scope(|scope| {
        let neighbor = scope.spawn(|| {
            let mut seen = BTreeSet::new();
            while !done.load(Ordering::Relaxed) {
                seen.extend(come_and_go(&neighbor, 1));
                cycles.fetch_add(1, Ordering::Relaxed);
            }
            neighbor.enroll(&[]);
            seen
        });
        let mut seen = BTreeSet::new();
        while cycles.load(Ordering::Relaxed) < 5 && !neighbor.is_finished() {
            seen.extend(come_and_go(&pod, 1));
        }
        done.store(true, Ordering::Relaxed);
        let seen_there = neighbor.join().expect("nothing is left of the neighbor's cycles");
        assert!(seen.is_disjoint(&seen_there), "each node has programs of its own");
        expect_freed(&seen);
    });
    assert!(!of_node(&other).is_empty(), "the other pod is enrolled at the end");
}

/// Enrolls and cleans `pod` so many times. Returns what was loaded for that and then freed.
fn come_and_go(pod: &Pod<'_>, cycles: u32) -> BTreeSet<Object> {
    let node = pod.node();
    let (pins, before) = (node.pins(), of_node(node));
    let mut loaded = BTreeSet::new();
    for _ in 0..cycles {
        pod.enroll(&[]);
        loaded.extend(of_node(node).difference(&before));
        pod.clean();
    }
    assert!(!loaded.is_empty(), "nothing was loaded");
    assert_eq!(node.pins(), pins, "pins after {cycles} cycles");
    expect_freed(&loaded);
    assert_eq!(of_node(node), before, "programs, maps and links after {cycles} cycles");
    loaded
}

/// The kernel frees objects a little later than their last user lets go of them.
fn expect_freed(objects: &BTreeSet<Object>) {
    let deadline = Instant::now() + timeout();
    wait_until("programs, maps and links are freed", || {
        let left = some_still_loaded(objects);
        assert!(Instant::now() < deadline || left.is_empty(), "still loaded: {left:?}");
        left.is_empty()
    });
}
