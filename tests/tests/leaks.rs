// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Enrolling and cleaning leave nothing in the kernel, however often.
//!
//! On its own because it counts what is loaded on the whole machine.

use std::collections::BTreeSet;

use aya::{maps::loaded_maps, programs::loaded_programs};
use interceptor_tests::{Node, scene::Scene, wait_until};

const CYCLES: usize = 500;

#[test]
fn five_hundred_enrolments_leave_nothing() {
    let node = Node::new();
    let scene = Scene::new(&node, "pod");
    let before = loaded();

    scene.pod.enrol(&[]);
    // What is loaded now and was not before is ours; its names tell what to count.
    let names: BTreeSet<String> = loaded().difference(&before).map(|(_, name)| name.clone()).collect();
    assert!(!names.is_empty(), "nothing was loaded");
    scene.pod.clean();
    let shared = node.pins();

    for _ in 1..CYCLES {
        scene.pod.enrol(&[]);
        scene.pod.clean();
    }
    assert_eq!(node.pins(), shared, "pins");

    node.run(&["clean", "--all"]).expect_success();
    assert_eq!(node.pins(), Vec::<std::path::PathBuf>::new(), "pins after clean --all");
    let count = |loaded: &BTreeSet<(u32, String)>| loaded.iter().filter(|(_, name)| names.contains(name)).count();
    // The kernel frees what nobody holds a little later.
    wait_until("programs and maps are freed", || count(&loaded()) <= count(&before));
}

/// The ids and names of all programs and maps on this machine. Ids of programs and maps are counted separately, so the kind is in the name.
fn loaded() -> BTreeSet<(u32, String)> {
    // One that is freed between listing and asking is no longer there to count.
    let programs =
        loaded_programs().flatten().map(|program| (program.id(), format!("program {}", program.name_as_str().unwrap_or_default())));
    let maps = loaded_maps().flatten().map(|map| (map.id(), format!("map {}", map.name_as_str().unwrap_or_default())));
    programs.chain(maps).collect()
}
