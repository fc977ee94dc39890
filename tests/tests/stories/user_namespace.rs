// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A pod with a user namespace of its own (`hostUsers: false`): users and groups are those of the pod.

use rstest::rstest;
use testkit::{Node, Pod, Run, UserNamespace, istio_rules::DEFAULT_FLAGS};

/// Enrolls the pod's own namespace with Istio's default flags and `more`.
fn enroll(pod: &Pod<'_>, own: &UserNamespace<'_>, more: &[&str]) -> Run {
    let [netns, cgroup] = [own.netns(), pod.namespace().cgroup().to_owned()].map(|path| path.display().to_string());
    let place = ["--netns", &netns, "--cgroup", &cgroup];
    pod.node().run(&[&["istio-iptables"], DEFAULT_FLAGS, &place, more].concat())
}

#[rstest]
// The pod has no neighbor, and nobody listens on the sidecar's ports.
#[case::the_sidecar_passes("1337", "EHOSTUNREACH")]
#[case::the_application_is_intercepted("1000", "ECONNREFUSED")]
fn ids_are_those_of_the_pod(#[case] user: &str, #[case] errno: &str) {
    let node = Node::new();
    let pod = node.pod("pod");
    let own = UserNamespace::of(&pod);
    enroll(&pod, &own, &[]).expect_success();
    assert_eq!(own.connect(user, "10.1.2.3:80").as_deref(), Some(errno));
}

#[test]
fn explain_takes_the_ids_of_the_pod() {
    let node = Node::new();
    let pod = node.pod("pod");
    let own = UserNamespace::of(&pod);
    enroll(&pod, &own, &[]).expect_success();
    let netns = own.netns().display().to_string();
    let explain = |uid: &str| node.run(&["explain", "--netns", &netns, "--uid", uid, "10.1.2.3:80"]);
    assert!(explain("1337").output().contains("[proxy_owner]"), "{}", explain("1337"));
    assert!(
        explain("1000").output().contains("[outbound_cidr_included]"),
        "{}",
        explain("1000")
    );
    let stranger = explain("70000");
    assert_eq!(stranger.code, Some(1), "{stranger}");
    assert!(stranger.output().contains("70000"), "{stranger}");
}

#[test]
fn an_id_that_the_pod_does_not_have_is_refused() {
    let node = Node::new();
    let pod = node.pod("pod");
    let own = UserNamespace::of(&pod);
    let run = enroll(&pod, &own, &["-u", "70000"]);
    assert_eq!(run.code, Some(1), "{run}");
    assert!(run.output().contains("70000"), "{run}");
}
