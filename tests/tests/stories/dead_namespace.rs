// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Nobody cleans up after a pod that is deleted.

use testkit::{Node, Run, scene::Scene, wait_until};

#[test]
fn the_next_run_removes_a_pod_whose_namespace_is_gone() {
    let node = Node::new();
    let [gone, other] = ["gone", "other"].map(|name| Scene::new(&node, name).pod);
    gone.enroll(&[]);
    other.enroll(&[]);
    assert_eq!(node.enrolled().len(), 2, "{:#?}", node.enrolled());

    let name = gone.namespace().name();
    Run::of_line(&["ip", "netns", "del", name]).expect_success();
    // The kernel takes a namespace apart a little later.
    wait_until("the pod is removed", || {
        other.enroll(&[]);
        node.enrolled().len() == 1
    });
    let status = node.run(&["status", "-o", "json"]);
    assert!(
        status.output().contains(&other.namespace().cgroup().display().to_string()),
        "{status}"
    );
    assert!(
        !status.output().contains(&gone.namespace().cgroup().display().to_string()),
        "{status}"
    );

    // The node deletes it once more in the end.
    Run::of_line(&["ip", "netns", "add", name]).expect_success();
}
