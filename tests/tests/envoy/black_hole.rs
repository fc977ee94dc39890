// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Whoever dials the sidecar's own ports gets nothing, and nothing runs in circles.

use testkit::{
    Launcher,
    envoy::{Case, Family, Mesh},
};

use crate::{
    compare::alike,
    steps::{curl, say_to},
};

const PORTS: [u16; 2] = [15001, 15006];

pub(crate) fn the_sidecars_own_ports_lead_nowhere(case: &Case) {
    let seen = alike(case, |mesh| {
        mesh.families().iter().flat_map(|family| dial_all(mesh, family)).collect()
    });
    let answered: Vec<&String> = seen.steps.iter().filter(|step| step.contains("(uid ")).collect();
    assert!(answered.is_empty(), "an application answered: {answered:#?}");
    // A circle would go on until it runs out of ports.
    let most = 4 * seen.steps.len();
    assert!(
        seen.client.len() + seen.server.len() <= most,
        "{} clients, {:#?}, {:#?}",
        seen.steps.len(),
        seen.client,
        seen.server
    );
}

fn dial_all(mesh: &Mesh<'_>, family: &Family) -> Vec<String> {
    let loopback = if family.client.contains(':') { "::1" } else { "127.0.0.1" };
    let inside = [
        (mesh.client.app(), loopback),
        (mesh.client.app(), family.client),
        (mesh.client.app(), family.server),
    ];
    let sidecar = [
        (mesh.client.proxy(), loopback),
        (mesh.client.proxy(), family.client),
        (mesh.client.proxy(), family.server),
    ];
    let outside = [(mesh.outside.root(), family.server)];
    let clients = inside.into_iter().chain(sidecar).chain(outside);
    clients
        .flat_map(|(client, ip)| PORTS.map(|port| dial(&client, ip, port)).concat())
        .collect()
}

fn dial(client: &Launcher, ip: &str, port: u16) -> Vec<String> {
    let address = Family::at(ip, port);
    vec![
        broken_off(curl(client, &[], &format!("http://{address}/"))),
        broken_off(say_to(client, &address, "not HTTP")),
    ]
}

/// Whether the sidecar hangs up before or after it has got the request, and what the client notices first, depends on
/// who is quicker. Of curl: nothing received, or an error when sending or receiving.
fn broken_off(step: String) -> String {
    const SIGNS: [&str; 6] = [
        "exit code Some(52)",
        "exit code Some(55)",
        "exit code Some(56)",
        "\"ECONNRESET\"",
        "\"EPIPE\"",
        "\"EOF\"",
    ];
    let (start, rest) = step.split_once(": ").expect("a step");
    let in_connect = rest.contains("step: \"connect\"");
    if !in_connect && SIGNS.iter().any(|sign| rest.contains(sign)) {
        format!("{start}: broken off")
    } else {
        step
    }
}
