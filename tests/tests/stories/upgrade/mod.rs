// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Another build takes over a node whose pods are at work.

mod earlier;
mod held;
mod versions;

use std::{collections::BTreeSet, fs, path::Path, process::Command};

use rstest::rstest;
use serde::Deserialize;
use testkit::{
    Node, OtherBuild, Process, Run,
    records::Tally,
    scale,
    scene::{Outcome, Scene, Stack},
};

use self::held::Held;
use crate::{
    killed_loader::{at_growing_moments, duration_of, kill_after},
    tproxy,
};

const BOTH_WAYS: [Outcome; 2] = [Outcome::ThroughSidecar, Outcome::ThroughSidecar];

#[rstest]
#[case::redirect(Stack::V4, &[])]
#[case::redirect_by_ipv6(Stack::V6, &[])]
#[case::tproxy(Stack::V4, &["-m", "TPROXY"])]
#[case::dns(Stack::V4, &["--redirect-dns"])]
#[case::accelerated(Stack::V4, &["--force-accelerate"])]
fn no_connection_fails_while_builds_take_turns(#[case] stack: Stack, #[case] flags: &[&str]) {
    let node = Node::new();
    let scene = Scene::with_stack(&node, "pod", stack);
    let _servers = scene.serve(8081);
    let other = OtherBuild::on(&node);
    scene.pod.enroll(&[stack.enroll_flags(), flags].concat());
    let _sidecar = if flags.contains(&"TPROXY") {
        tproxy::sidecar(&scene)
    } else {
        scene.sidecar(&[])
    };
    let mut held = Held::default();
    held.add(&scene);
    let load = [scene.pod.app().load(scene.server()), scene.outside.root().load(scene.app())];

    for _ in 0..scale("INTERCEPTOR_TEST_TURNS", 3, 1) {
        for program in [&other.program, &node.interceptor().to_owned()] {
            upgrade(&node, program, &[]).expect_success();
            assert_eq!([scene.outbound(), scene.inbound()], BOTH_WAYS);
            held.expect_unchanged();
        }
    }
    expect_no_failure(load);
    scene.pod.clean();
    assert!(!node.bpffs().join("interceptor").exists(), "{:#?}", node.pins());
}

#[test]
fn every_program_of_every_pod_is_replaced_and_those_before_are_kept_for_the_way_back() {
    let node = Node::new();
    let (first, second) = (Scene::new(&node, "first"), Scene::new(&node, "second"));
    let other = OtherBuild::on(&node);
    first.pod.enroll(&["--force-accelerate", "--redirect-dns"]);
    let this = builds(&node);
    assert_eq!(this.len(), 1, "{this:?}");

    upgrade(&node, &other.program, &[]).expect_success();
    let others = builds(&node);
    assert_eq!(
        (others.len(), others.is_disjoint(&this)),
        (1, true),
        "{others:?} after {this:?}"
    );
    second.pod.enroll(&[]);
    assert_eq!(builds(&node), others, "a pod that comes later has the same programs");

    for expected in [&this, &others, &this] {
        upgrade(&node, &other.program, &["--rollback"]).expect_success();
        assert_eq!(builds(&node), *expected);
    }
}

#[test]
fn a_dry_run_says_what_would_be_done_and_does_nothing() {
    let node = Node::new();
    let scene = Scene::new(&node, "pod");
    let other = OtherBuild::on(&node);
    scene.pod.enroll(&[]);
    let (pins, this) = (node.pins(), builds(&node));
    let told = upgrade(&node, &other.program, &["--dry-run"]).output();
    assert!(told.starts_with("Would replace the programs of 1 pod: build "), "{told}");
    assert_eq!((node.pins(), builds(&node)), (pins, this));
    let told = upgrade(&node, node.interceptor(), &[]).output();
    assert!(told.starts_with("Nothing to do: the programs of 1 pod are of build "), "{told}");
}

#[test]
fn without_an_upgrade_there_is_no_way_back() {
    let node = Node::new();
    let told = upgrade(&node, node.interceptor(), &["--rollback"]).output();
    assert_eq!(told.trim(), "Nothing to do: no pod is enrolled");
    let scene = Scene::new(&node, "pod");
    scene.pod.enroll(&[]);
    for more in [&["--rollback"][..], &["--rollback", "--dry-run"]] {
        let run = upgrade(&node, node.interceptor(), more);
        assert_eq!(run.code, Some(1), "{}", run.stderr);
        assert!(run.stderr.contains("were never replaced"), "{}", run.stderr);
    }
}

/// Whatever the moment, the pod is intercepted, and the next run finishes.
#[test]
fn an_upgrade_that_is_killed_is_finished_by_the_next() {
    let node = Node::new();
    let scene = Scene::new(&node, "pod");
    let _servers = scene.serve(8081);
    let other = OtherBuild::on(&node);
    scene.pod.enroll(&["--force-accelerate"]);
    let _sidecar = scene.sidecar(&[]);
    let programs = [other.program, node.interceptor().to_owned()];
    let undisturbed = duration_of(|| upgrade(&node, &programs[0], &[]).expect_success());
    let mut turn = 0;
    // Half as many moments as usual: each takes two upgrades.
    at_growing_moments(2 * undisturbed, |grace| {
        turn = 1 - turn;
        let killed = kill_after(command(&node, &programs[turn], &[]), grace);
        assert_eq!([scene.outbound(), scene.inbound()], BOTH_WAYS, "killed after {grace:?}");
        upgrade(&node, &programs[turn], &[]).expect_success();
        let found = builds(&node);
        assert_eq!(found.len(), 1, "killed after {grace:?}, and finished: {found:?}");
        killed
    });
    scene.pod.clean();
    assert!(!node.bpffs().join("interceptor").exists(), "{:#?}", node.pins());
}

/// The directories are exchanged when no link is left to change, so the way back finds them in one order or the other.
#[rstest]
#[case::before_the_directories_were_exchanged(false)]
#[case::after_that(true)]
fn the_way_back_from_an_interrupted_upgrade_leads_to_the_build_before_it(#[case] exchanged: bool) {
    let node = Node::new();
    let scene = Scene::new(&node, "pod");
    let other = OtherBuild::on(&node);
    scene.pod.enroll(&["--force-accelerate"]);
    let this = builds(&node);
    // Programs from an earlier upgrade are in the place of those from before, and are not what is wanted.
    upgrade(&node, &other.program, &[]).expect_success();
    upgrade(&node, node.interceptor(), &[]).expect_success();
    upgrade(&node, &other.program, &[]).expect_success();
    let others = builds(&node);
    assert!(others.is_disjoint(&this), "{others:?} after {this:?}");
    interrupt(&node, exchanged);

    upgrade(&node, node.interceptor(), &["--rollback"]).expect_success();
    assert_eq!(builds(&node), this);
    upgrade(&node, node.interceptor(), &["--rollback"]).expect_success();
    assert_eq!(builds(&node), others, "the same again goes forward");
    // A way back that was interrupted is finished by the same again.
    upgrade(&node, node.interceptor(), &["--rollback"]).expect_success();
    interrupt(&node, exchanged);
    upgrade(&node, node.interceptor(), &["--rollback"]).expect_success();
    assert_eq!(builds(&node), this);
}

/// What a run leaves that is killed after it has changed the last link, and before or after it has exchanged the
/// directories.
fn interrupt(node: &Node, exchanged: bool) {
    let version = fs::read_dir(node.bpffs().join("interceptor")).expect("list the versions");
    let versions: Vec<_> = version.map(|entry| entry.expect("list the versions").path()).collect();
    let [version] = versions.as_slice() else { panic!("{versions:?}") };
    for directory in [version.clone(), version.join("acceleration")] {
        let [programs, next, before, aside] =
            ["programs", "programs-next", "programs-before", "aside"].map(|name| directory.join(name));
        let moves = if exchanged {
            vec![(&before, &next)]
        } else {
            vec![(&programs, &aside), (&before, &programs), (&aside, &next)]
        };
        for (from, to) in moves {
            fs::rename(from, to).expect("rename a directory of programs");
        }
    }
}

fn upgrade(node: &Node, program: &Path, more: &[&str]) -> Run {
    Run::of(command(node, program, more))
}

fn command(node: &Node, program: &Path, more: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.arg("upgrade").args(more).arg("--bpffs").arg(node.bpffs());
    command
}

/// The builds of the programs that are attached, of all pods together.
fn builds(node: &Node) -> BTreeSet<String> {
    #[derive(Deserialize)]
    struct PodBuilds {
        builds: Vec<String>,
    }
    let pods: Vec<PodBuilds> = node.run(&["status", "--output", "json"]).json();
    pods.into_iter().flat_map(|pod| pod.builds).collect()
}

/// Ends what has made connections all the time.
fn expect_no_failure(load: [Process; 2]) {
    for mut load in load {
        load.close_stdin();
        let Tally { succeeded, failed } = load.json();
        assert!(succeeded > 0 && failed.is_empty(), "{succeeded} succeeded, {failed:?}");
    }
}
