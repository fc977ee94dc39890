// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Who reads takes no lock, while the last pod of the node goes with all that is pinned, and comes back.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

use testkit::{Node, scene::Scene};

#[test]
fn what_is_moved_away_meanwhile_is_no_error() {
    const TIMES: usize = 10;
    let node = Node::new();
    let pod = Scene::new(&node, "pod").pod;
    let library = interceptor::Node::open(&node.bpffs()).expect("the bpffs");
    let done = AtomicBool::new(false);
    let (mut with, mut without) = (0, 0);
    thread::scope(|scope| {
        let changing = scope.spawn(|| {
            for _ in 0..TIMES {
                pod.enroll(&[]);
                pod.clean();
            }
            done.store(true, Ordering::Relaxed);
        });
        while !done.load(Ordering::Relaxed) && !changing.is_finished() {
            match library.status().expect("the status").len() {
                0 => without += 1,
                _ => with += 1,
            }
            library.enrollments().expect("the enrollments");
            library.all_counters().expect("the counters");
        }
        changing.join().expect("every run succeeds");
    });
    assert!(with > 0 && without > 0, "{with} times with the pod, {without} without");
}
