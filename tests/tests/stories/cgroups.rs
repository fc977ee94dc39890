// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Each cgroup runs the programs once for each system call, whatever is enrolled with it.

use testkit::{
    Node, Run,
    istio_rules::DEFAULT_FLAGS,
    scene::{Outcome, SERVER, Scene, outcome},
};

/// A pod whose sandbox was made anew has a new network namespace and the same cgroup, and the old namespace may be
/// there for a while.
#[test]
fn a_new_sandbox_of_a_pod_is_enrolled_beside_the_old_one() {
    let node = Node::new();
    let [old, new] = ["old", "new"].map(|name| Scene::new(&node, name));
    let _servers = new.serve(8081);
    let pins = node.pins();
    old.pod.enroll(&[]);
    enroll_with_cgroup_of(&new, &old).expect_success();

    let cgroup = old.pod.namespace().cgroup();
    let app = new.pod.app().cgroup(cgroup.join("app"));
    let _sidecar = new
        .pod
        .proxy()
        .cgroup(cgroup.join("sidecar"))
        .sidecar(&["--source", testkit::scene::POD_SECOND]);
    assert_eq!(outcome(&app, SERVER), Outcome::ThroughSidecar);
    assert_eq!(redirected(&new), 1, "connect() of one connection is decided once");

    old.pod.clean();
    assert_eq!(
        outcome(&app, SERVER),
        Outcome::ThroughSidecar,
        "the end of the old sandbox leaves the new one alone"
    );
    new.pod.clean();
    assert_eq!(node.pins(), pins, "nothing is left");
}

#[test]
fn a_cgroup_above_or_below_an_enrolled_one_is_refused() {
    let node = Node::new();
    let [enrolled, other] = ["enrolled", "other"].map(|name| Scene::new(&node, name));
    enrolled.pod.enroll(&[]);
    let cgroup = enrolled.pod.namespace().cgroup();
    let below = cgroup.join("app");
    let above = cgroup.parent().expect("the node's cgroup");
    for asked in [below.as_path(), above] {
        let run = enroll(&other, &asked.display().to_string());
        assert_eq!(run.code, Some(1), "{run}");
        assert!(
            run.output().contains(&cgroup.display().to_string()),
            "the enrolled cgroup is named: {run}"
        );
    }
    assert_eq!(node.enrolled().len(), 1, "{:#?}", node.enrolled());
}

fn enroll_with_cgroup_of(scene: &Scene<'_>, other: &Scene<'_>) -> Run {
    enroll(scene, &other.pod.namespace().cgroup().display().to_string())
}

fn enroll(scene: &Scene<'_>, cgroup: &str) -> Run {
    let netns = scene.pod.namespace().path().display().to_string();
    let place = ["--netns", &netns, "--cgroup", cgroup];
    scene.pod.node().run(&[&["enroll"], DEFAULT_FLAGS, &place].concat())
}

/// How many connections of the pod's application the programs have redirected.
fn redirected(scene: &Scene<'_>) -> u64 {
    let path = scene.pod.namespace().path();
    let pods: Vec<serde_json::Value> = scene.pod.node().run(&["status", "-o", "json"]).json();
    let of_pod = pods.iter().find(|pod| pod["netns"] == path.display().to_string().as_str());
    of_pod
        .and_then(|pod| pod["counters"]["outbound_cidr_included"].as_u64())
        .unwrap_or_else(|| panic!("{pods:#?}"))
}

/// An agent on the node enters the pod's network namespace, and a nested container has a cgroup elsewhere.
#[test]
fn a_process_of_the_pod_outside_of_its_cgroup_is_named() {
    let node = Node::new();
    let scene = Scene::new(&node, "pod");
    let elsewhere = scene.outside.cgroup().to_owned();
    let outsider = scene
        .pod
        .namespace()
        .launcher(0, 0)
        .cgroup(elsewhere)
        .serve("outsider", &["0.0.0.0:9999"]);
    let named = format!("{} (", outsider.pid());

    let run = scene.pod.try_enroll(&[DEFAULT_FLAGS, &["--strict"]].concat());
    assert_eq!(run.code, Some(1), "{run}");
    assert!(run.output().contains(&named), "the error names the process: {run}");
    assert!(node.enrolled().is_empty(), "{:#?}", node.enrolled());

    let run = scene.pod.try_enroll(DEFAULT_FLAGS);
    run.expect_success();
    assert!(run.output().contains(&named), "a warning names the process: {run}");
    let status = node.run(&["status"]);
    assert!(status.output().contains(&named), "status names the process: {status}");

    drop(outsider);
    scene.pod.try_enroll(&[DEFAULT_FLAGS, &["--strict"]].concat()).expect_success();
    assert!(!node.run(&["status"]).output().contains(&named));
}

/// crun puts a container's processes one level deeper than runc.
#[test]
fn the_pods_cgroup_is_found_whatever_is_below_it() {
    let node = Node::new();
    let pod = Scene::new(&node, "pod").pod;
    let container = pod.namespace().cgroup().join("crio-0a1b/container");
    std::fs::create_dir_all(&container).expect("a cgroup for a container");
    let mut command = pod
        .namespace()
        .launcher(0, 0)
        .cgroup(container)
        .command(&node.interceptor().display().to_string());
    command.arg("enroll").args(DEFAULT_FLAGS).arg("--bpffs").arg(node.bpffs());
    Run::of(command).expect_success();
    let status = node.run(&["status", "-o", "json"]);
    let cgroup = format!("\"cgroup\": \"{}\"", pod.namespace().cgroup().display());
    assert!(status.output().contains(&cgroup), "{status}");
}
