// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The node's own traffic is never intercepted.

use std::fs;

use testkit::{Node, Run, istio_rules::DEFAULT_FLAGS};

#[test]
fn the_hosts_own_namespace_is_refused() {
    let node = Node::new();
    let pod = node.pod("pod");
    let cgroup = pod.namespace().cgroup().display().to_string();
    // The harness never leaves the namespace it was started in.
    let place = ["--netns", "/proc/self/ns/net", "--cgroup", &cgroup];
    let run = node.run(&[&["istio-iptables"], DEFAULT_FLAGS, &place].concat());
    assert_eq!(run.code, Some(1), "{run}");
    assert!(run.output().contains("host"), "the message says what is refused: {run}");
    assert!(node.enrolled().is_empty(), "{:#?}", node.enrolled());
}

#[test]
fn a_path_to_it_does_not_help() {
    let node = Node::new();
    let pod = node.pod("pod");
    let cgroup = pod.namespace().cgroup().display().to_string();
    let path = node.work().join("alias");
    fs::write(&path, "").expect("a file to mount on");
    let path = path.display().to_string();
    Run::of_line(&["mount", "--bind", "/proc/self/ns/net", &path]).expect_success();
    let run = node.run(&[&["istio-iptables"], DEFAULT_FLAGS, &["--netns", &path, "--cgroup", &cgroup]].concat());
    Run::of_line(&["umount", &path]).expect_success();
    assert_eq!(run.code, Some(1), "{run}");
    assert!(node.enrolled().is_empty(), "{:#?}", node.enrolled());
}
