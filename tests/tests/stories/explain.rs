// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `explain` names the rule by which the kernel decides: that rule's counter moves when the connection is made.

use std::collections::BTreeMap;

use rstest::rstest;
use serde::Deserialize;
use testkit::{
    Launcher, Node,
    scene::{APP, SERVER, Scene},
};

/// What is used of `explain --output json`.
#[derive(Deserialize)]
struct Explanation {
    reason: String,
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
fn the_counter_of_the_explained_reason_moves(
    #[case] who: Who,
    #[case] to: &str,
    #[case] flags: &[&str],
    #[case] expected: &str,
) {
    let node = Node::new();
    let scene = Scene::new(&node, "pod");
    scene.outside.ip("addr add 192.0.2.1/32 dev lo");
    let _app = scene
        .pod
        .app()
        .serve("app", &["0.0.0.0:8080", "0.0.0.0:15008", "0.0.0.0:15021"]);
    let _server = scene.outside.root().serve("outside", &["0.0.0.0:80", "0.0.0.0:8081"]);
    scene.pod.enroll(&["-o", "8081", "-x", "192.0.2.0/24"]);
    let _sidecar = scene.sidecar(&[]);
    let (client, described): (Launcher, &[&str]) = match who {
        Who::App => (scene.pod.app(), &["--uid", "1000"]),
        Who::Proxy => (scene.pod.proxy(), &["--uid", "1337"]),
        Who::Outside => (scene.outside.root(), &["--inbound", "--source", "10.99.0.1"]),
    };
    // The probe's --bind is the explanation's --source.
    let source: Vec<&str> = flags
        .iter()
        .map(|flag| if *flag == "--bind" { "--source" } else { *flag })
        .collect();

    let reason = reason_of(&scene, &[described, &source, &[to]].concat());
    assert_eq!(reason, expected);

    let before = node.counters();
    let report = client.connect(to, flags);
    assert_eq!(report.error, None);
    let after = node.counters();
    let count = |counters: &BTreeMap<String, u64>| counters.get(&reason).copied().unwrap_or_default();
    assert_eq!(
        count(&after),
        count(&before) + 1,
        "{reason}: before {before:?}, after {after:?}"
    );
}

/// What a sidecar does in its client's name: the connection goes to the application, and does not come back to the
/// sidecar.
#[test]
fn a_mark_is_told_from_none() {
    let node = Node::new();
    let scene = Scene::new(&node, "pod");
    scene.pod.enroll(&["-m", "TPROXY"]);
    let sidecar = ["--uid", "0", "--gid", "1337", APP];
    assert_eq!(reason_of(&scene, &sidecar), "proxy_to_own_pod_transparently");
    assert_eq!(
        reason_of(&scene, &[&["--mark", "1337"], &sidecar[..]].concat()),
        "local_destination"
    );
    assert_eq!(
        reason_of(&scene, &[&["--mark", "1"], &sidecar[..]].concat()),
        "proxy_to_own_pod_transparently"
    );
}

#[test]
fn an_interface_is_told_from_none() {
    let node = Node::new();
    let scene = Scene::new(&node, "pod");
    scene.pod.enroll(&["-c", "eth0"]);
    scene
        .pod
        .namespace()
        .connect("eth1", &["10.98.0.2/24"], &scene.outside, &["10.98.0.1/24"]);
    assert_eq!(reason_of(&scene, &[SERVER]), "interface_excluded");
    assert_eq!(reason_of(&scene, &["--interface", "eth0", SERVER]), "interface_excluded");
    assert_eq!(reason_of(&scene, &["--interface", "eth1", SERVER]), "bound_to_interface");
    let inbound = ["--inbound", "--source", "10.50.1.7", APP];
    assert_eq!(
        reason_of(&scene, &[&["--interface", "eth0"], &inbound[..]].concat()),
        "interface_excluded"
    );
    assert_eq!(
        reason_of(&scene, &[&["--interface", "eth1"], &inbound[..]].concat()),
        "inbound_port_included"
    );

    let netns = scene.pod.namespace().path().display().to_string();
    let run = node.run(&["explain", "--netns", &netns, "--interface", "eth9", SERVER]);
    assert_eq!(run.code, Some(1), "{run}");
    assert!(
        run.output()
            .contains("no interface `eth9` (--interface); it has lo, eth0, eth1"),
        "{run}"
    );
}

fn reason_of(scene: &Scene<'_>, connection: &[&str]) -> String {
    let netns = scene.pod.namespace().path().display().to_string();
    let arguments = [&["explain", "--output", "json", "--netns", &netns], connection].concat();
    let Explanation { reason } = scene.pod.node().run(&arguments).json();
    reason
}
