// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Run from an init container, the way `istio-init` is.

use std::process::Command;

use testkit::{Node, Pod, Run, istio_rules::DEFAULT_FLAGS, scene::Scene};

/// A cgroup namespace, a mount namespace and a PID namespace of its own, as container runtimes make them.
const CONTAINER: [&str; 5] = ["--cgroup", "--mount", "--pid", "--fork", "--mount-proc"];

#[test]
fn the_pods_cgroup_is_found_where_the_hosts_hierarchy_is_mounted() {
    let node = Node::new();
    let pod = Scene::new(&node, "pod").pod;
    let mut container = pod.proxy_as(0, 0).command("/usr/bin/unshare");
    container.args(CONTAINER).arg(node.interceptor());
    enroll(&pod, container).expect_success();
    let status = node.run(&["status", "-o", "json"]);
    assert!(
        status
            .output()
            .contains(&format!("\"cgroup\": \"{}\"", pod.namespace().cgroup().display())),
        "{status}"
    );
}

#[test]
fn without_it_the_cgroup_has_to_be_named() {
    let node = Node::new();
    let pod = Scene::new(&node, "pod").pod;
    let mut container = pod.proxy_as(0, 0).command("/usr/bin/unshare");
    let own_only = "for mount in $(findmnt -rnt cgroup2 -o TARGET); do umount \"$mount\" && mount -t cgroup2 none \
                    \"$mount\"; done; exec \"$@\"";
    container
        .args(CONTAINER)
        .args(["/bin/sh", "-c", own_only, "sh"])
        .arg(node.interceptor());
    let run = enroll(&pod, container);
    assert_eq!(run.code, Some(1), "{run}");
    assert!(run.output().contains("--cgroup"), "{run}");
    assert!(node.enrolled().is_empty(), "{:#?}", node.enrolled());
}

#[test]
fn three_capabilities_suffice() {
    let node = Node::new();
    let pod = Scene::new(&node, "pod").pod;
    enroll(&pod, with_three_capabilities(&pod)).expect_success();
}

/// The verifier refuses the programs of a process without `CAP_PERFMON`, as it does on a kernel that lacks something.
#[test]
fn a_missing_capability_is_named() {
    let node = Node::new();
    let pod = Scene::new(&node, "pod").pod;
    let mut container = pod.proxy_as(0, 0).command("/usr/bin/setpriv");
    container
        .args(["--inh-caps", "-all", "--bounding-set", "-all,+bpf,+net_admin"])
        .arg(node.interceptor());
    let run = enroll(&pod, container);
    assert_eq!(run.code, Some(1), "{run}");
    assert!(
        run.output()
            .contains("This process lacks a privilege: CAP_PERFMON, without which"),
        "{run}"
    );
    assert!(node.enrolled().is_empty(), "{:#?}", node.enrolled());
}

/// The kernel is tried in a network namespace of its own.
#[test]
fn for_acceleration_a_fourth_one_is_named() {
    let node = Node::new();
    let pod = Scene::new(&node, "pod").pod;
    let run = enroll_with(&pod, with_three_capabilities(&pod), &["--accelerate"]);
    assert_eq!(run.code, Some(1), "{run}");
    assert!(
        run.output().contains("This process lacks CAP_SYS_ADMIN, which it takes to"),
        "{run}"
    );
    assert!(!run.output().contains("this kernel failed"), "{run}");
    assert!(node.enrolled().is_empty(), "{:#?}", node.enrolled());
}

#[test]
fn three_capabilities_suffice_for_acceleration_without_the_test() {
    let node = Node::new();
    let pod = Scene::new(&node, "pod").pod;
    enroll_with(&pod, with_three_capabilities(&pod), &["--force-accelerate"]).expect_success();
    let second = Scene::new(&node, "second").pod;
    enroll_with(&second, with_three_capabilities(&second), &["--accelerate"]).expect_success();
}

fn with_three_capabilities(pod: &Pod<'_>) -> Command {
    let mut container = pod.proxy_as(0, 0).command("/usr/bin/setpriv");
    container
        .args(["--inh-caps", "-all", "--bounding-set", "-all,+bpf,+net_admin,+perfmon"])
        .arg(pod.node().interceptor());
    container
}

#[test]
fn those_of_istio_init_do_not() {
    let node = Node::new();
    let pod = Scene::new(&node, "pod").pod;
    let mut container = pod.proxy_as(0, 0).command("/usr/bin/setpriv");
    container
        .args(["--inh-caps", "-all", "--bounding-set", "-all,+net_admin,+net_raw"])
        .arg(node.interceptor());
    let run = enroll(&pod, container);
    assert_eq!(run.code, Some(1), "{run}");
    assert!(run.output().contains("CAP_BPF"), "{run}");
    assert!(node.enrolled().is_empty(), "{:#?}", node.enrolled());
}

/// Runs `interceptor istio-iptables` in a container, which ends in the path of the program.
fn enroll(pod: &Pod<'_>, container: Command) -> Run {
    enroll_with(pod, container, &[])
}

fn enroll_with(pod: &Pod<'_>, mut container: Command, flags: &[&str]) -> Run {
    container
        .arg("istio-iptables")
        .args(DEFAULT_FLAGS)
        .args(flags)
        .arg("--bpffs")
        .arg(pod.node().bpffs());
    Run::of(container)
}
