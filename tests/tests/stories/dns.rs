// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Questions to DNS servers go to the agent, and its answers come from whom was asked.

use std::{fs, net::IpAddr};

use rstest::rstest;
use testkit::{Node, Process, records::Greeting, scene::Scene};

const LISTED: [&str; 2] = ["10.96.0.10:53", "10.96.0.11:53"];
/// A server that is not in the list; it is the machine outside.
const UNLISTED: &str = "10.99.0.1:53";

/// A pod that captures DNS, with `flags`, and the agent in it.
fn captured<'node>(node: &'node Node, flags: &[&str]) -> (Scene<'node>, [Process; 2]) {
    let scene = Scene::new(node, "pod");
    let resolv_conf = node.work().join("resolv.conf");
    fs::write(&resolv_conf, "nameserver 10.96.0.10\nnameserver 10.96.0.11\n").expect("list the servers");
    let resolv_conf = resolv_conf.display().to_string();
    scene
        .pod
        .enroll(&[&["--redirect-dns", "--resolv-conf", &resolv_conf], flags].concat());
    let agent = scene
        .pod
        .proxy()
        .serve("agent", &["--udp", "127.0.0.1:15053", "127.0.0.1:15053"]);
    let outside = scene.outside.root().serve("outside", &["--udp", UNLISTED, UNLISTED]);
    (scene, [agent, outside])
}

fn name(greeting: &str) -> String {
    serde_json::from_str::<Greeting>(greeting).expect("a greeting").name
}

#[rstest]
#[case::an_ipv4_socket("4", "")]
#[case::a_mapped_socket("6-mapped", "::ffff:")]
fn each_answer_comes_from_the_server_that_was_asked(#[case] family: &str, #[case] prefix: &str) {
    let node = Node::new();
    let (scene, _servers) = captured(&node, &[]);
    let mut answers = scene.pod.app().ask(&LISTED, &["--family", family]);
    answers.sort_by_key(|answer| answer.from);
    let from: Vec<String> = answers.iter().map(|answer| answer.from.to_string()).collect();
    let expected = LISTED.map(|server| {
        if prefix.is_empty() {
            server.to_owned()
        } else {
            format!("[{prefix}{}]:53", &server[..server.len() - 3])
        }
    });
    assert_eq!(from, expected);
    assert!(answers.iter().all(|answer| name(&answer.received) == "agent"), "{answers:#?}");
}

#[test]
fn a_connected_socket_sees_the_server() {
    let node = Node::new();
    let (scene, _servers) = captured(&node, &[]);
    let report = scene.pod.app().datagram(LISTED[1], &[]);
    assert_eq!(report.peer, LISTED[1].parse().ok(), "{report:#?}");
    assert_eq!(report.local.map(|local| local.ip()), "10.99.0.2".parse().ok(), "{report:#?}");
    assert_eq!(report.received.as_deref().map(name).as_deref(), Some("agent"));
}

#[test]
fn tcp_goes_to_the_agent_too() {
    let node = Node::new();
    let (scene, _servers) = captured(&node, &[]);
    let report = scene.pod.app().connect(LISTED[0], &[]);
    assert_eq!(report.peer, LISTED[0].parse().ok(), "{report:#?}");
    let greeting: Greeting = serde_json::from_str(report.received.as_deref().expect("an answer")).expect("a greeting");
    assert_eq!(greeting.name, "agent");
    assert_eq!(greeting.original_destination, LISTED[0].parse().ok(), "{greeting:#?}");
}

#[rstest]
#[case::an_unlisted_server(&[], "outside")]
#[case::any_server_with_capture_all(&["--capture-all-dns"], "agent")]
#[case::port_53_excluded(&["--capture-all-dns", "-o", "53"], "outside")]
fn which_servers_are_captured(#[case] flags: &[&str], #[case] reached: &str) {
    let node = Node::new();
    let (scene, _servers) = captured(&node, flags);
    let answers = scene.pod.app().ask(&[UNLISTED], &[]);
    assert_eq!(answers[0].from, UNLISTED.parse().expect("an address"), "{answers:#?}");
    assert_eq!(name(&answers[0].received), reached);
}

#[test]
fn the_sidecar_asks_the_servers_themselves() {
    let node = Node::new();
    let (scene, _servers) = captured(&node, &["--capture-all-dns"]);
    assert_eq!(name(&scene.pod.proxy().ask(&[UNLISTED], &[])[0].received), "outside");
}

/// Listed in `docs/differences.md`.
#[test]
fn the_agent_sees_loopback_addresses_ask_if_the_socket_is_not_connected() {
    let node = Node::new();
    let (scene, [mut agent, _outside]) = captured(&node, &[]);
    scene.pod.app().ask(&LISTED, &[]);
    let mut askers = [agent.json(), agent.json()].map(|Greeting { peer, .. }| peer.ip());
    askers.sort();
    let [first, IpAddr::V4(second)] = askers else { panic!("{askers:?}") };
    assert_eq!(first, IpAddr::from([127, 0, 0, 1]));
    assert!(second.is_loopback() && second.octets()[1] >= 128, "{second}");
}

/// Listed in `docs/differences.md`.
#[test]
fn a_connected_socket_with_a_port_but_no_address_asks_from_loopback_and_is_shown_the_pods_address() {
    let node = Node::new();
    let (scene, [mut agent, _outside]) = captured(&node, &[]);
    let report = scene.pod.app().datagram(LISTED[0], &["--bind", "0.0.0.0:40000"]);
    assert_eq!(report.local, "10.99.0.2:40000".parse().ok(), "{report:#?}");
    let Greeting { peer, .. } = agent.json();
    assert_eq!(Some(peer), "127.0.0.1:40000".parse().ok());
}

/// Listed in `docs/differences.md`.
#[test]
fn without_an_agent_questions_are_refused() {
    let node = Node::new();
    let (scene, [agent, _outside]) = captured(&node, &[]);
    agent.kill();
    let datagram = scene.pod.app().datagram(LISTED[0], &[]);
    assert_eq!(datagram.error.map(|failure| failure.errno).as_deref(), Some("ECONNREFUSED"));
    assert_eq!(scene.pod.app().connect(LISTED[0], &[]).connect_error(), Some("ECONNREFUSED"));
}
