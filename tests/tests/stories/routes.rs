// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A destination that the pod has no route to: `connect()` fails at once, as without a mesh, so that a client with two
//! addresses tries the other one.

use std::fs;

use rstest::rstest;
use serde::Deserialize;
use testkit::{
    Node,
    records::Failure,
    scene::{Outcome, SERVER, Scene, Stack, outcome},
};

/// What is used of `explain --output json`.
#[derive(Deserialize)]
struct Explanation {
    verdict: String,
    reason: String,
}

/// A pod with routes of all types, and without a default route of IPv6.
fn scene(node: &Node) -> Scene<'_> {
    let scene = Scene::with_stack(node, "pod", Stack::Dual);
    scene.pod.namespace().ip("route del default via fd99::1
        route add unreachable 10.60.1.0/24
        route add blackhole 10.60.2.0/24
        route add prohibit 10.60.3.0/24
        route add unreachable fd60:1::/64
        route add blackhole fd60:2::/64
        route add prohibit fd60:3::/64");
    scene
}

fn failed(errno: &str) -> Outcome {
    Outcome::Failed(format!("connect:{errno}"))
}

#[rstest]
#[case::no_default_route("[2001:db8::1]:80", "ENETUNREACH", "no_route")]
#[case::unreachable("10.60.1.1:80", "EHOSTUNREACH", "route_unreachable")]
#[case::blackhole("10.60.2.1:80", "EINVAL", "route_blackhole")]
#[case::prohibit("10.60.3.1:80", "EACCES", "route_prohibit")]
#[case::unreachable_v6("[fd60:1::1]:80", "EHOSTUNREACH", "route_unreachable")]
#[case::blackhole_v6("[fd60:2::1]:80", "EINVAL", "route_blackhole")]
#[case::prohibit_v6("[fd60:3::1]:80", "EACCES", "route_prohibit")]
#[case::multicast("224.0.0.1:80", "ENETUNREACH", "destination_is_many")]
#[case::broadcast("10.99.0.255:80", "ENETUNREACH", "destination_is_many")]
#[case::broadcast_of_all("255.255.255.255:80", "ENETUNREACH", "destination_is_many")]
#[case::multicast_v6("[ff0e::1]:80", "ENETUNREACH", "destination_is_many")]
fn connect_fails_at_once_with_the_error_of_the_route(#[case] to: &str, #[case] errno: &str, #[case] reason: &str) {
    let node = Node::new();
    let scene = scene(&node);
    let family = if to.starts_with('[') { "6" } else { "4" };
    let connect = || scene.pod.app().connect(to, &["--family", family]).error;
    let expected = Some(Failure { step: "connect".to_owned(), errno: errno.to_owned() });
    assert_eq!(connect(), expected, "without a mesh");

    scene.pod.enroll(&["--dual-stack"]);
    let _sidecar = scene.sidecar(&[]);
    assert_eq!(connect(), expected);
    assert_eq!(node.counters().get(reason), Some(&1));
    let netns = scene.pod.namespace().path().display().to_string();
    let explained: Explanation = node.run(&["explain", "--output", "json", "--netns", &netns, to]).json();
    assert_eq!(explained.reason, reason);
    assert_eq!(explained.verdict, format!("fails at once with {errno}, as without a mesh"));
}

#[test]
fn a_route_that_comes_later_counts_when_the_command_is_run_again() {
    let node = Node::new();
    let scene = scene(&node);
    let _servers = scene.serve(8081);
    scene
        .pod
        .namespace()
        .ip("route del default via 10.99.0.1\nroute add unreachable fd99::1");
    scene.pod.enroll(&["--dual-stack"]);
    let _sidecar = scene.sidecar(&[]);
    scene.outside.ip("route add local 203.0.113.0/24 dev lo");
    let client = scene.pod.app();
    let far = || outcome(&client, "203.0.113.9:80");
    let near = || scene.outbound();
    assert_eq!([far(), near()], [failed("ENETUNREACH"), failed("EHOSTUNREACH")]);
    assert_eq!(outcome(&client, SERVER), Outcome::ThroughSidecar, "has a route all the time");

    scene
        .pod
        .namespace()
        .ip("route add default via 10.99.0.1\nroute del unreachable fd99::1");
    assert_eq!(
        [far(), near()],
        [failed("ENETUNREACH"), failed("EHOSTUNREACH")],
        "nothing passes by the sidecar"
    );
    scene.pod.enroll(&["--dual-stack"]);
    assert_eq!([far(), near()], [Outcome::ThroughSidecar, Outcome::ThroughSidecar]);
}

/// A socket that is bound to an address, or has a mark, may have a route where others have none.
#[test]
fn nothing_fails_that_another_routing_table_may_have_a_route_for() {
    let node = Node::new();
    let scene = Scene::new(&node, "pod");
    scene.pod.namespace().ip("route del default via 10.99.0.1
        route add default via 10.99.0.1 table 100
        rule add fwmark 7 lookup 100");
    scene.pod.enroll(&[]);
    let _sidecar = scene.pod.proxy().serve("outbound", &["0.0.0.0:15001"]);
    let to = "203.0.113.9:80";
    let app = scene.pod.app();
    assert_eq!(outcome(&app, to), failed("ENETUNREACH"));
    let flow = format!("out tcp {to} user=1000:1000 mark=7");
    let marked = scene.pod.namespace().root().cgroup(scene.pod.namespace().cgroup().join("app"));
    assert_eq!(marked.carry_out(&flow, 0).error, None);

    scene.pod.namespace().ip("rule add from 10.99.0.3 lookup 100");
    scene.pod.enroll(&[]);
    assert_eq!(app.connect(to, &["--bind", "10.99.0.3"]).error, None, "by its own table");
}

#[test]
fn a_question_to_a_captured_server_without_a_route_fails_at_once() {
    let node = Node::new();
    let scene = scene(&node);
    let resolv_conf = node.work().join("resolv.conf");
    fs::write(&resolv_conf, "nameserver 10.60.1.5\nnameserver 2001:db8::5\n").expect("list the servers");
    let resolv_conf = resolv_conf.display().to_string();
    scene
        .pod
        .enroll(&["--dual-stack", "--redirect-dns", "--resolv-conf", &resolv_conf]);
    let _agent = scene
        .pod
        .proxy()
        .serve("agent", &["--udp", "127.0.0.1:15053", "127.0.0.1:15053"]);
    let app = scene.pod.namespace().root().cgroup(scene.pod.namespace().cgroup().join("app"));
    let expectations = [
        ("udp 10.60.1.5:53", "connect", "EHOSTUNREACH"),
        ("sendto 10.60.1.5:53", "send", "EHOSTUNREACH"),
        ("tcp 10.60.1.5:53", "connect", "EHOSTUNREACH"),
        ("udp [2001:db8::5]:53", "connect", "ENETUNREACH"),
        ("sendto [2001:db8::5]:53", "send", "ENETUNREACH"),
    ];
    for (flow, step, errno) in expectations {
        let error = app.carry_out(&format!("out {flow} user=1000:1000"), 0).error;
        let expected = Failure { step: step.to_owned(), errno: errno.to_owned() };
        assert_eq!(error, Some(expected), "{flow}");
    }
}

/// The sidecar's own connections are never redirected to it, so the kernel itself answers them.
#[test]
fn the_sidecar_is_told_by_the_kernel() {
    let node = Node::new();
    let scene = scene(&node);
    let _servers = scene.serve(8081);
    scene.pod.enroll(&["--dual-stack"]);
    let proxy = scene.pod.proxy();
    assert_eq!(outcome(&proxy, "10.60.1.1:80"), failed("EHOSTUNREACH"));
    assert_eq!(node.counters().get("proxy_owner"), Some(&1));
}
