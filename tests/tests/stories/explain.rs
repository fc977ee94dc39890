// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `explain` names the rule by which the kernel decides: that rule's counter moves when the connection is made.

use std::collections::BTreeMap;

use interceptor_tests::{
    Launcher, Node,
    scene::{APP, SERVER, Scene},
};
use rstest::rstest;
use serde::Deserialize;

/// What is used of `explain --output json`.
#[derive(Deserialize)]
struct Explanation {
    reason: String,
}

/// What is used of `status --output json`.
#[derive(Deserialize)]
struct PodStatus {
    counters: BTreeMap<String, u64>,
}

enum Who {
    App,
    Proxy,
    Outside,
}

#[rstest]
#[case::app_to_service(Who::App, SERVER, &[], "outbound_cidr_included")]
#[case::app_to_excluded_port(Who::App, "10.99.0.1:8081", &[], "outbound_port_excluded")]
#[case::app_to_excluded_range(Who::App, "192.0.2.1:80", &[], "outbound_cidr_excluded")]
#[case::app_to_its_pod(Who::App, APP, &[], "local_destination")]
#[case::app_to_localhost(Who::App, "127.0.0.1:8080", &[], "local_destination")]
#[case::proxy_to_service(Who::Proxy, SERVER, &[], "proxy_owner")]
#[case::proxy_to_its_pod(Who::Proxy, APP, &[], "proxy_to_own_pod")]
#[case::proxy_passes_through(Who::Proxy, APP, &["--bind", "127.0.0.6"], "passthrough_source")]
#[case::inbound(Who::Outside, APP, &[], "inbound_port_included")]
#[case::inbound_to_excluded_port(Who::Outside, "10.99.0.2:15021", &[], "inbound_port_excluded")]
#[case::inbound_to_tunnel_port(Who::Outside, "10.99.0.2:15008", &[], "inbound_tunnel_port")]
fn the_counter_of_the_explained_reason_moves(#[case] who: Who, #[case] to: &str, #[case] flags: &[&str], #[case] expected: &str) {
    let node = Node::new();
    let scene = Scene::new(&node, "pod");
    scene.outside.ip("addr add 192.0.2.1/32 dev lo");
    let _app = scene.pod.app().serve("app", &["0.0.0.0:8080", "0.0.0.0:15008", "0.0.0.0:15021"]);
    let _server = scene.outside.root().serve("outside", &["0.0.0.0:80", "0.0.0.0:8081"]);
    scene.pod.enrol(&["-o", "8081", "-x", "192.0.2.0/24"]);
    let _sidecar = scene.sidecar(&[]);
    let (client, described): (Launcher, &[&str]) = match who {
        Who::App => (scene.pod.app(), &["--uid", "1000"]),
        Who::Proxy => (scene.pod.proxy(), &["--uid", "1337"]),
        Who::Outside => (scene.outside.root(), &["--inbound", "--source", "10.99.0.1"]),
    };
    // The probe's --bind is the explanation's --source.
    let source: Vec<&str> = flags.iter().map(|flag| if *flag == "--bind" { "--source" } else { *flag }).collect();

    let netns = scene.pod.namespace().path().display().to_string();
    let explained = node.run(&[&["explain", "--output", "json", "--netns", &netns], described, &source, &[to]].concat());
    let Explanation { reason } = explained.json();
    assert_eq!(reason, expected);

    let before = counters(&node);
    let report = client.connect(to, flags);
    assert_eq!(report.error, None);
    let after = counters(&node);
    let count = |counters: &BTreeMap<String, u64>| counters.get(&reason).copied().unwrap_or_default();
    assert_eq!(count(&after), count(&before) + 1, "{reason}: before {before:?}, after {after:?}");
}

fn counters(node: &Node) -> BTreeMap<String, u64> {
    let pods: Vec<PodStatus> = node.run(&["status", "--output", "json"]).json();
    let [PodStatus { counters }] = <[PodStatus; 1]>::try_from(pods).unwrap_or_else(|pods| panic!("{} pods instead of one", pods.len()));
    counters
}
