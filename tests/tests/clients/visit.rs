// SPDX-License-Identifier: Apache-2.0 OR MIT
//! One client visits one server.

use std::net::{IpAddr, SocketAddr};

use testkit::{
    Node, Run,
    programs::{SYSTEM, find},
    records::{Connection, Greeting, Listener},
    scene::{OUTSIDE, OUTSIDE_V6, POD, POD_SECOND, POD_SECOND_V6, POD_V6, SERVER, SERVER_V6, Scene, Stack},
};

use crate::table::Client;

const PAGE: &str = "Hello from outside";

pub(crate) fn visit(client: &Client, stack: Stack) {
    let (ip, server, pod, sidecar_source) = if stack.has_v6() {
        (OUTSIDE_V6, SERVER_V6, POD_V6, POD_SECOND_V6)
    } else {
        (OUTSIDE, SERVER, POD, POD_SECOND)
    };
    let program = find(client.program);
    let node = Node::new();
    let file = client.build.make(&node);
    let scene = Scene::with_stack(&node, "pod", stack);
    let mut web = scene.outside.root().web("outside", PAGE, server);
    scene.pod.enroll(stack.enroll_flags());
    let mut sidecar = scene.sidecar(&[]);

    let host = if stack.has_v6() { format!("[{ip}]") } else { ip.to_owned() };
    let mut command = scene.pod.app().command(&program.display().to_string());
    // Nothing of whoever runs the tests: no proxy, no options, no home.
    command.env_clear().env("PATH", SYSTEM.join(":")).current_dir(node.work());
    let file = file.display().to_string();
    let filled = client
        .arguments
        .iter()
        .map(|word| word.replace("{file}", &file).replace("{host}", &host).replace("{ip}", ip));
    command.args(filled);
    let run = Run::with_input(command, client.input);
    run.expect_success();
    assert!(run.stdout.contains(PAGE), "{run}");
    if client.shows_peer {
        let peer = format!("peer {ip} 80");
        assert!(run.stdout.lines().any(|line| line == peer), "it did not see {peer:?}: {run}");
    }

    let address = |text: &str| -> IpAddr { text.parse().expect("an address") };
    let dialed: SocketAddr = server.parse().expect("an address");
    let Connection { listener, peer, original_destination, .. } = sidecar.json();
    assert_eq!(
        (listener, peer.ip(), original_destination),
        (Listener::Outbound, address(pod), Some(dialed)),
        "{run}"
    );
    let Greeting { peer, .. } = web.json();
    assert_eq!(peer.ip(), address(sidecar_source), "the server sees the sidecar: {run}");
}
