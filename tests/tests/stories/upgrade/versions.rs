// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Another version of the ABI takes over a node whose pods are at work, and gives them back.

use std::collections::{BTreeMap, BTreeSet};

use rstest::rstest;
use serde::Deserialize;
use testkit::{
    Node, OtherBuild, Run, scale,
    scene::{Scene, Stack},
    timeout,
};

use super::{BOTH_WAYS, expect_no_failure, held::Held, upgrade};
use crate::{
    killed_loader::{at_growing_moments, duration_of, kill_after},
    tproxy,
};

#[rstest]
#[case::redirect(Stack::V4, &[])]
#[case::redirect_by_ipv6(Stack::V6, &[])]
#[case::tproxy(Stack::V4, &["-m", "TPROXY"])]
#[case::dns(Stack::V4, &["--redirect-dns"])]
#[case::accelerated(Stack::V4, &["--force-accelerate"])]
fn no_connection_fails_while_versions_take_turns(#[case] stack: Stack, #[case] flags: &[&str]) {
    let node = Node::new();
    let scene = Scene::with_stack(&node, "pod", stack);
    let _servers = scene.serve(8081);
    let next = OtherBuild::of_next_abi();
    scene.pod.enroll(&[stack.enroll_flags(), flags].concat());
    let _sidecar = if flags.contains(&"TPROXY") {
        tproxy::sidecar(&scene)
    } else {
        scene.sidecar(&[])
    };
    let mut held = Held::default();
    let load = [scene.pod.app().load(scene.server()), scene.outside.root().load(scene.app())];
    let this = status(&node, &next);
    assert_eq!(this.builds.len(), 1, "{this:?}");

    let mut counted = this.counters;
    for _ in 0..scale("INTERCEPTOR_TEST_TURNS", 3, 1) {
        for arguments in [&[][..], &["--rollback"]] {
            held.add(&scene);
            upgrade(&node, &next.program, arguments).expect_success();
            assert_eq!([scene.outbound(), scene.inbound()], BOTH_WAYS);
            held.expect_unchanged();
            let Status { builds, counters } = status(&node, &next);
            assert_eq!((builds.len(), builds == this.builds), (1, !arguments.is_empty()), "{builds:?}");
            for (reason, before) in counted {
                assert!(
                    counters.get(&reason) >= Some(&before),
                    "{reason}: {before}, and then {counters:?}"
                );
            }
            counted = counters;
        }
    }
    expect_no_failure(load);
    scene.pod.clean();
    assert!(!node.bpffs().join("interceptor").exists(), "{:#?}", node.pins());
}

/// Pods are enrolled, changed and removed by the version that has them.
#[test]
fn a_version_that_took_over_does_all_that_the_former_one_did() {
    let node = Node::new();
    let (first, second) = (Scene::new(&node, "first"), Scene::new(&node, "second"));
    let next = OtherBuild::of_next_abi();
    first.pod.enroll(&["--force-accelerate"]);
    let told = upgrade(&node, &next.program, &["--dry-run"]).output();
    assert!(told.starts_with("Would replace the programs of 1 pod: build "), "{told}");
    let told = upgrade(&node, &next.program, &[]).output();
    assert!(told.starts_with("Replaced the programs of 1 pod: build "), "{told}");
    let told = upgrade(&node, &next.program, &[]).output();
    assert!(told.starts_with("Nothing to do: the programs of 1 pod are of build "), "{told}");

    let [a, netns, b, cgroup] = second.pod.place();
    let place = [a.as_str(), &netns, &b, &cgroup];
    Run::of(next.command(&node, &[&["istio-iptables"], &place[..]].concat())).expect_success();
    assert_eq!(status(&node, &next).builds.len(), 1);
    assert_eq!(node.enrolled().len(), 2, "{:#?}", node.enrolled());
    upgrade(&node, &next.program, &["--rollback"]).expect_success();
    assert_eq!(node.enrolled().len(), 2, "{:#?}", node.enrolled());
    second.pod.clean();
    upgrade(&node, &next.program, &["--rollback"]).expect_success();
    assert_eq!(node.enrolled().len(), 1, "the same again goes forward");
    Run::of(node.command(&["clean", "--all"])).expect_success();
    assert!(!node.bpffs().join("interceptor").exists(), "{:#?}", node.pins());
}

/// A node agent of either version may have them.
#[test]
fn programs_that_an_agent_keeps_for_pods_to_come_are_in_no_ones_way() {
    let node = Node::new();
    let scene = Scene::new(&node, "pod");
    let _servers = scene.serve(8081);
    let next = OtherBuild::of_next_abi();
    let keep = || {
        let opened = interceptor::Node::open(&node.bpffs()).expect("the bpffs");
        opened.keep(timeout()).expect("programs are loaded");
    };
    keep();
    let only_this = directories(&node);
    scene.pod.enroll(&[]);
    let _sidecar = scene.sidecar(&[]);
    let this = status(&node, &next).builds;

    upgrade(&node, &next.program, &[]).expect_success();
    let only_next = directories(&node);
    keep();
    assert_eq!(directories(&node).len(), 2);
    assert_eq!([scene.outbound(), scene.inbound()], BOTH_WAYS);
    upgrade(&node, &next.program, &["--rollback"]).expect_success();
    assert_eq!((directories(&node), status(&node, &next).builds), (only_this, this));
    assert_eq!([scene.outbound(), scene.inbound()], BOTH_WAYS);

    upgrade(&node, &next.program, &[]).expect_success();
    let [version] = only_next.iter().collect::<Vec<_>>()[..] else {
        panic!("{only_next:?}")
    };
    let home = node.bpffs().join("interceptor");
    std::fs::create_dir(home.join(version).join("kept")).expect("keep the other version as well");
    let [a, netns, ..] = scene.pod.place();
    Run::of(next.command(&node, &["unenroll", &a, &netns])).expect_success();
    assert!(
        node.enrolled().is_empty() && directories(&node) == only_next,
        "{:#?}",
        node.pins()
    );
    scene.pod.enroll(&[]);
    upgrade(&node, &next.program, &[]).expect_success();
    assert_eq!(directories(&node), only_next);
    assert_eq!([scene.outbound(), scene.inbound()], BOTH_WAYS);
}

#[test]
fn a_version_that_is_not_known_keeps_its_pods_and_is_named() {
    let node = Node::new();
    let scene = Scene::new(&node, "pod");
    let _servers = scene.serve(8081);
    let next = OtherBuild::of_next_abi();
    scene.pod.enroll(&[]);
    let _sidecar = scene.sidecar(&[]);
    upgrade(&node, &next.program, &[]).expect_success();
    let (pins, before) = (node.pins(), status(&node, &next).builds);
    for arguments in [&[][..], &["--rollback"]] {
        let run = upgrade(&node, node.interceptor(), arguments);
        run.expect_success();
        assert!(
            run.stderr.contains("1 pod keeps the programs of ABI version v"),
            "{}",
            run.stderr
        );
        assert_eq!((node.pins(), status(&node, &next).builds), (pins.clone(), before.clone()));
        assert_eq!([scene.outbound(), scene.inbound()], BOTH_WAYS);
    }
}

/// Whatever the moment, the pod is intercepted, and the next run goes on, or back.
#[test]
fn a_change_of_versions_that_is_killed_is_finished_by_the_next_run() {
    let node = Node::new();
    let scene = Scene::new(&node, "pod");
    let _servers = scene.serve(8081);
    let next = OtherBuild::of_next_abi();
    scene.pod.enroll(&["--force-accelerate"]);
    let _sidecar = scene.sidecar(&[]);
    let mut held = Held::default();
    held.add(&scene);
    let this = status(&node, &next).builds;
    let undisturbed = duration_of(|| upgrade(&node, &next.program, &[]).expect_success());
    upgrade(&node, &next.program, &["--rollback"]).expect_success();
    let former = directories(&node);

    let mut goes_on = false;
    at_growing_moments(2 * undisturbed, |grace| {
        goes_on = !goes_on;
        let mut killed = kill_after(next.command(&node, &["upgrade"]), grace);
        assert_eq!([scene.outbound(), scene.inbound()], BOTH_WAYS, "killed after {grace:?}");
        let goes_on = goes_on || directories(&node) == former;
        upgrade(&node, &next.program, if goes_on { &[] } else { &["--rollback"] }).expect_success();
        let builds = status(&node, &next).builds;
        assert_eq!(
            (builds.len(), builds == this),
            (1, !goes_on),
            "killed after {grace:?}, and finished: {builds:?}"
        );
        if goes_on {
            // A way back takes a small part of the time, because no program is loaded.
            killed |= kill_after(next.command(&node, &["upgrade", "--rollback"]), grace / 8);
            assert_eq!(
                [scene.outbound(), scene.inbound()],
                BOTH_WAYS,
                "killed after {grace:?}, on the way back"
            );
            if !has_gone_back(&node, &former) {
                upgrade(&node, &next.program, &["--rollback"]).expect_success();
            }
            assert_eq!(status(&node, &next).builds, this, "killed after {grace:?}, on the way back");
        }
        held.expect_unchanged();
        killed
    });
    scene.pod.clean();
    assert!(!node.bpffs().join("interceptor").exists(), "{:#?}", node.pins());
}

/// Whether a way back was finished. After that, the same again would go forward.
fn has_gone_back(node: &Node, former: &BTreeSet<String>) -> bool {
    directories(node) == *former && !node.pins().iter().any(|pin| pin.ends_with("going-back"))
}

/// The names of all that is in the directory of ours: which versions have pods.
fn directories(node: &Node) -> BTreeSet<String> {
    let home = node.bpffs().join("interceptor");
    let pins = node.pins();
    let names = pins.iter().filter(|pin| pin.parent() == Some(&home));
    let names = names.filter_map(|pin| pin.file_name()?.to_str().map(str::to_owned));
    names.filter(|name| name.starts_with('v')).collect()
}

/// What both builds say together of the pods of the node.
#[derive(Debug, Deserialize)]
struct Status {
    builds: BTreeSet<String>,
    counters: BTreeMap<String, u64>,
}

fn status(node: &Node, next: &OtherBuild) -> Status {
    let arguments = ["status", "--output", "json"];
    let runs = [node.run(&arguments), Run::of(next.command(node, &arguments))];
    let mut all = Status { builds: BTreeSet::new(), counters: BTreeMap::new() };
    for Status { builds, counters } in runs.iter().flat_map(Run::json::<Vec<Status>>) {
        all.builds.extend(builds);
        all.counters.extend(counters);
    }
    all
}
