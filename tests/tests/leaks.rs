// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Enrolling and cleaning leave nothing in the kernel, however often.
//!
//! On its own because it counts what is loaded on the whole machine.

use std::collections::BTreeSet;

use aya::{
    maps::loaded_maps,
    programs::{loaded_links, loaded_programs},
};
use testkit::{Node, Pod, amount, scene::Scene, wait_until};

const ENROLLMENTS: u32 = 500;

#[test]
fn enrollments_leave_nothing() {
    let enrollments = amount("INTERCEPTOR_TEST_ENROLLMENTS", ENROLLMENTS, 10);
    let alone = enrollments / 5;
    let beside_another = enrollments - alone;
    let node = Node::new();
    let [pod, neighbor] = ["pod", "neighbor"].map(|name| Scene::new(&node, name).pod);
    let (before, pins) = (loaded(), node.pins());
    pod.enroll(&[]);
    // What is loaded now and was not before is ours; its names tell what to count.
    let names: BTreeSet<String> = loaded().difference(&before).map(|(_, name)| name.clone()).collect();
    assert!(!names.is_empty(), "nothing was loaded");
    let count = || loaded().iter().filter(|(_, name)| names.contains(name)).count();
    let at_first = before.iter().filter(|(_, name)| names.contains(name)).count();
    pod.clean();

    // The only pod of its node comes and goes, and everything with it.
    come_and_go(&pod, alone, &count);

    // It comes and goes beside another one, which keeps what they share.
    neighbor.enroll(&[]);
    come_and_go(&pod, beside_another, &count);

    node.run(&["clean", "--all"]).expect_success();
    assert_eq!(node.pins(), pins, "pins after clean --all");
    // The kernel frees what nobody holds a little later.
    wait_until("all programs, maps and links are freed", || count() <= at_first);
}

/// Enrolls and cleans `pod` so often, and compares what there is before and after.
fn come_and_go(pod: &Pod<'_>, cycles: u32, count: &impl Fn() -> usize) {
    let (pins, loaded) = (pod.node().pins(), count());
    for _ in 0..cycles {
        pod.enroll(&[]);
        pod.clean();
    }
    assert_eq!(pod.node().pins(), pins, "pins after {cycles} cycles");
    wait_until("programs, maps and links of the cycles are freed", || count() <= loaded);
}

/// The ids and names of all programs and maps on this machine, and its links. Each kind has ids of its own, so it is in
/// the name.
fn loaded() -> BTreeSet<(u32, String)> {
    // One that is freed between listing and asking is no longer there to count.
    let programs = loaded_programs()
        .flatten()
        .map(|program| (program.id(), format!("program {}", program.name_as_str().unwrap_or_default())));
    let maps = loaded_maps()
        .flatten()
        .map(|map| (map.id(), format!("map {}", map.name_as_str().unwrap_or_default())));
    let links = loaded_links().flatten().map(|link| (link.id(), "link".to_owned()));
    programs.chain(maps).chain(links).collect()
}
