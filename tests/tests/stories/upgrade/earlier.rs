// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Pods that were enrolled by an earlier build, of this version of the ABI or of another.

use std::{env, path::PathBuf};

use testkit::{Node, OtherBuild, Run, istio_rules::DEFAULT_FLAGS, scene::Scene};

use super::{BOTH_WAYS, expect_no_failure, held::Held, upgrade};

/// docs/testing.md says how to get the program of an earlier build.
#[test]
#[ignore = "it needs the program of an earlier build, by INTERCEPTOR_TEST_EARLIER"]
fn pods_of_an_earlier_build_are_taken_over_or_left_alone_and_all_of_it_can_be_removed() {
    let program = env::var_os("INTERCEPTOR_TEST_EARLIER").expect("INTERCEPTOR_TEST_EARLIER names a program");
    let earlier = OtherBuild { program: PathBuf::from(program) };
    let node = Node::new();
    let scene = Scene::new(&node, "pod");
    let _servers = scene.serve(8081);
    let [a, netns, b, cgroup] = scene.pod.place();
    let place = [a.as_str(), &netns, &b, &cgroup];
    Run::of(earlier.command(&node, &[&["istio-iptables"], DEFAULT_FLAGS, &place].concat())).expect_success();
    let _sidecar = scene.sidecar(&[]);
    let mut held = Held::default();
    held.add(&scene);
    let load = [scene.pod.app().load(scene.server()), scene.outside.root().load(scene.app())];

    let pins = node.pins();
    let run = upgrade(&node, node.interceptor(), &[]);
    run.expect_success();
    if !run.stdout.starts_with("Replaced the programs of 1 pod: build ") {
        assert!(run.stderr.contains("1 pod keeps the programs of ABI version v"), "{run:?}");
        assert_eq!(node.pins(), pins);
    }
    assert_eq!([scene.outbound(), scene.inbound()], BOTH_WAYS);
    held.expect_unchanged();
    expect_no_failure(load);
    Run::of(node.command(&["clean", "--all"])).expect_success();
    assert!(!node.bpffs().join("interceptor").exists(), "{:#?}", node.pins());
}
