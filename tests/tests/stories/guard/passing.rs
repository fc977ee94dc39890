// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What the guard lets pass, whatever kernel there is.

use testkit::{
    Node,
    scene::{Outcome, SERVER, Scene, outcome},
};

use super::{ALL_DNS, BEYOND_EXCLUDED, V4, V6, Who, leaving, scene};

/// The rules are asked about them, as iptables asks.
#[test]
fn what_the_rules_let_pass_leaves_from_anywhere() {
    let node = Node::new();
    let scene = scene(&node);
    let flags = [&["--dual-stack", "-o", "443"], ALL_DNS, BEYOND_EXCLUDED].concat();
    scene.pod.enroll(&flags);
    let elsewhere = scene.outside.cgroup().to_owned();
    let _outside = scene.outside.root().serve("outside", &["10.99.0.1:80", "[fd99::1]:80"]);

    let sidecar = scene.pod.proxy().cgroup(elsewhere.clone());
    assert_eq!(outcome(&sidecar, SERVER), Outcome::Direct, "a sidecar outside of the cgroup");
    let group = scene.pod.app_as(1000, 1337).cgroup(elsewhere);
    assert_eq!(outcome(&group, SERVER), Outcome::Direct, "the sidecar's group");
    for (who, how, to) in [
        (Who::Outsider, "tcp", "10.99.0.1:443"),
        (Who::Outsider, "tcp", "[fd99::1]:443"),
        (Who::Outsider, "tcp", "10.98.0.1:80"),
        (Who::Outsider, "udp", "10.99.0.1:80"),
        (Who::Root, "raw", "10.99.0.1:443"),
        (Who::Root, "raw", "[fd98::1]:80"),
        (Who::App, "udp", "[fd99::1]:8080"),
    ] {
        let protocol = if how == "udp" { "udp" } else { "tcp" };
        assert_eq!(leaving(&scene, who, how, to, &[]), [format!("{protocol} {to}")], "{who:?}");
    }
    let by = |how: &str, by: &str, to: &str| leaving(&scene, Who::Root, how, to, &["--by", by]);
    assert_eq!(
        by("tcp", V4, "10.98.0.1:443"),
        ["tcp 10.99.0.1:443"],
        "a source route that no rule redirects"
    );
    assert_eq!(by("tcp", V6, "[fd98::1]:443"), ["tcp [fd99::1]:443"]);
    assert!(
        node.counters().keys().all(|label| !label.starts_with("guard_")),
        "{:?}",
        node.counters()
    );
}

/// As with iptables, whose rules for what leaves see no packet that is forwarded.
#[test]
fn what_the_pod_forwards_leaves() {
    let node = Node::new();
    let scene = Scene::new(&node, "pod");
    let nested = node.outside("nested");
    nested.connect("eth0", &["10.97.0.2/24"], scene.pod.namespace(), &["10.97.0.1/24"]);
    nested.ip("route add default via 10.97.0.1");
    scene.outside.ip("route add 10.97.0.0/24 via 10.99.0.2");
    scene.pod.namespace().sysctl("net.ipv4.ip_forward", "1");
    let _outside = scene.outside.root().serve("outside", &["10.99.0.1:80"]);
    scene.pod.enroll(&[]);
    assert_eq!(outcome(&nested.root(), SERVER), Outcome::Direct);
}
