// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Questions go to the sidecar's DNS agent and to nobody else, and only its answers are shown as a server's.

use rstest::rstest;
use testkit::{
    Node, Process, Run,
    records::Greeting,
    scene::{POD, POD_V6, Scene, Stack},
};

const FORGER: &str = include_str!("programs/forger.py");
const PYTHON: &str = "/usr/bin/python3";
const SERVER: &str = "10.96.0.10:53";
const OTHER_SERVER: &str = "10.96.0.11:53";
const SERVER_V6: &str = "[fd96::10]:53";
const AGENT: [&str; 4] = ["--udp", "127.0.0.1:15053", "--udp", "[::1]:15053"];
const ALSO_TCP: &str = "127.0.0.1:15053";

fn scene(node: &Node) -> Scene<'_> {
    Scene::with_stack(node, "pod", Stack::Dual)
}

fn enroll(scene: &Scene<'_>) {
    scene
        .pod
        .enroll(&[&["--redirect-dns", "--capture-all-dns"], Stack::Dual.enroll_flags()].concat());
}

fn agent(scene: &Scene<'_>) -> Process {
    scene.pod.proxy().serve("agent", &[&AGENT[..], &[ALSO_TCP]].concat())
}

fn name(greeting: &str) -> String {
    serde_json::from_str::<Greeting>(greeting).expect("a greeting").name
}

fn count(node: &Node, label: &str) -> u64 {
    node.counters().get(label).copied().unwrap_or_default()
}

#[rstest]
#[case::by_ipv4("10.96.0.10", "127.0.0.1", "127.0.0.2")]
#[case::by_ipv6("fd96::10", "::1", POD_V6)]
fn answers_are_shown_as_those_of_who_was_asked(#[case] server: &str, #[case] address: &str, #[case] other: &str) {
    let node = Node::new();
    let scene = scene(&node);
    enroll(&scene);
    let _agent = agent(&scene);
    let mut command = scene.pod.app().command(PYTHON);
    command.args(["-I", "-c", FORGER, server, address, other]);
    let run = Run::of(command);
    run.expect_success();
    let expected = [
        format!("server: answer from {server} 53"),
        format!("other address: forged from {other} 15053"),
        format!("then the agent: answer from {address} 15053"),
        format!("the agent: answer from {address} 15053"),
        format!("then a server: answer from {server} 53"),
        format!("connected: {server} 53"),
        format!("then to the agent: {address} 15053"),
        format!("answered: answer from {address} 15053"),
    ];
    assert_eq!(run.stdout.lines().collect::<Vec<_>>(), expected, "{run}");
}

/// Under iptables anybody may, and is asked while the agent is down.
#[rstest]
#[case::the_address_itself("127.0.0.1:15053")]
#[case::all_addresses("0.0.0.0:15053")]
#[case::the_address_itself_by_ipv6("[::1]:15053")]
#[case::all_addresses_by_ipv6("[::]:15053")]
fn nobody_else_may_have_the_agents_place(#[case] place: &str) {
    let node = Node::new();
    let scene = scene(&node);
    enroll(&scene);
    let app = scene.pod.app();
    let family = if place.starts_with('[') { "6" } else { "4" };
    let bind = |launcher: &testkit::Launcher, place: &str| {
        let report = launcher.datagram(
            if family == "6" { SERVER_V6 } else { SERVER },
            &["--family", family, "--bind", place],
        );
        report.error.map(|failure| format!("{}:{}", failure.step, failure.errno))
    };
    assert_eq!(bind(&app, place).as_deref(), Some("bind:EADDRINUSE"));
    assert_eq!(bind(&scene.pod.app_as(0, 0), place).as_deref(), Some("bind:EADDRINUSE"));
    assert_eq!(count(&node, "foreign_dns_agent"), 2);
    let elsewhere = if family == "6" { format!("[{POD_V6}]:15053") } else { format!("{POD}:15053") };
    let result = bind(&app, &elsewhere);
    assert!(!result.as_deref().unwrap_or_default().starts_with("bind:"), "{result:?}");
    let _agent = scene.pod.proxy().serve("agent", &["--udp", place, ALSO_TCP]);
}

/// Whoever was there before the pod was enrolled.
#[rstest]
#[case::by_ipv4(SERVER, "4")]
#[case::mapped(SERVER, "6-mapped")]
#[case::by_ipv6(SERVER_V6, "6")]
fn whoever_has_the_agents_place_is_not_asked(#[case] server: &str, #[case] family: &str) {
    let node = Node::new();
    let scene = scene(&node);
    let foreign = scene.pod.app().serve("foreign", &[&AGENT[..], &[ALSO_TCP]].concat());
    let run = scene.pod.try_enroll(
        &[
            testkit::istio_rules::DEFAULT_FLAGS,
            &["--redirect-dns", "--capture-all-dns"],
            Stack::Dual.enroll_flags(),
        ]
        .concat(),
    );
    run.expect_success();
    assert!(run.output().contains("did not make has the DNS agent's port"), "{run}");
    let connected = scene.pod.app().datagram(server, &["--family", family]);
    assert_eq!(connected.connect_error(), Some("ECONNREFUSED"), "{connected:#?}");
    let flow = format!("out sendto {server}{}", if family == "6-mapped" { " mapped" } else { "" });
    let sent = scene.pod.app_as(0, 0).carry_out(&flow, 0);
    assert_eq!(sent.error.map(|failure| failure.errno).as_deref(), Some("ECONNREFUSED"));
    assert_eq!(count(&node, "foreign_dns_agent"), 2);
    assert!(foreign.stop().lines.is_empty(), "it was asked");
}

#[test]
fn an_agent_that_ran_before_its_pod_was_enrolled_is_asked() {
    let node = Node::new();
    let scene = scene(&node);
    let _agent = agent(&scene);
    enroll(&scene);
    let mut answers = scene.pod.app().ask(&[SERVER, OTHER_SERVER], &[]);
    answers.sort_by_key(|answer| answer.from);
    let from: Vec<String> = answers.iter().map(|answer| answer.from.to_string()).collect();
    assert_eq!(from, [SERVER, OTHER_SERVER]);
    assert!(answers.iter().all(|answer| name(&answer.received) == "agent"), "{answers:#?}");
    let by_ipv6 = scene.pod.app().datagram(SERVER_V6, &["--family", "6"]);
    assert_eq!(by_ipv6.received.as_deref().map(name).as_deref(), Some("agent"), "{by_ipv6:#?}");
}

/// As under iptables, whose rules know no address of the pod.
#[rstest]
#[case::by_ipv4(SERVER, "4")]
#[case::mapped(SERVER, "6-mapped")]
#[case::by_ipv6(SERVER_V6, "6")]
fn is_asked_after_the_pod_got_other_addresses(#[case] server: &str, #[case] family: &str) {
    let node = Node::new();
    let scene = scene(&node);
    enroll(&scene);
    let _agent = agent(&scene);
    let pod = scene.pod.namespace();
    pod.ip("addr flush dev eth0 scope global");
    for change in ["addr add 10.99.0.77/24 dev eth0", "addr add fd99::77/64 dev eth0 nodad"] {
        pod.ip(change);
    }
    for via in ["10.99.0.1", "fd99::1"] {
        pod.ip(&format!("route replace default via {via}"));
    }
    let answers = scene.pod.app().ask(&[server], &["--family", family]);
    assert_eq!(name(&answers[0].received), "agent");
    let connected = scene.pod.app().datagram(server, &["--family", family]);
    assert_eq!(
        connected.received.as_deref().map(name).as_deref(),
        Some("agent"),
        "{connected:#?}"
    );
}

/// By the routes that lead questions to the agent. Under iptables the packet leaves by the interface, and is lost.
#[test]
fn loopback_is_reached_from_a_socket_that_is_bound_to_an_interface() {
    let node = Node::new();
    let scene = scene(&node);
    enroll(&scene);
    let _servers = scene.serve(8081);
    let report = scene.pod.app_as(0, 0).carry_out("out tcp [::1]:8080 device=eth0", 0);
    assert_eq!(report.error, None, "{report:#?}");
}

/// Under iptables such a question is never answered.
#[rstest]
#[case::by_ipv4(SERVER)]
#[case::by_ipv6(SERVER_V6)]
fn a_connected_socket_that_is_bound_to_an_interface_is_answered(#[case] server: &str) {
    let node = Node::new();
    let scene = scene(&node);
    enroll(&scene);
    let _agent = agent(&scene);
    let report = scene.pod.app_as(0, 0).carry_out(&format!("out udp {server} device=eth0"), 0);
    assert_eq!(report.error, None, "{report:#?}");
    assert_eq!(report.peer, server.parse().ok(), "{report:#?}");
    assert!(
        report.answers.iter().all(|answer| name(&answer.received) == "agent"),
        "{report:#?}"
    );
    assert_eq!(report.answers.len(), 1, "{report:#?}");
}

/// Nor is this one.
#[rstest]
#[case::by_ipv4(SERVER)]
#[case::by_ipv6(SERVER_V6)]
fn a_socket_that_sends_while_it_is_bound_to_an_interface_is_refused_at_once(#[case] server: &str) {
    let node = Node::new();
    let scene = scene(&node);
    enroll(&scene);
    let _agent = agent(&scene);
    let sent = scene.pod.app_as(0, 0).carry_out(&format!("out sendto {server} device=eth0"), 0);
    assert_eq!(sent.error.map(|failure| failure.errno).as_deref(), Some("ECONNREFUSED"));
    assert_eq!(count(&node, "dns_bound_to_interface"), 1);
}
