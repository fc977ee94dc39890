// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Carries out one row in a pod of its own, and compares what everyone saw.

use std::net::{IpAddr, SocketAddr};

use testkit::{
    APP_UID, Backend, Launcher, Namespace, Node, PROXY_UID, Pod, Process,
    records::{Connection, Report, canonical},
    scene::{Scene, Stack, sidecar_flags},
};

use crate::row::{End, Hop, Row, SERVICE_ENDPOINT, SERVICE_ENDPOINT_V6, Server, Who};

const APP_PORTS: &[u16] = &[8080, 15002, 15008, 15020, 15021, 15090];
const OUTSIDE_PORTS: &[u16] = &[80, 22, 53, 15008];
const UDP_PORT: u16 = 5353;

/// Panics, with everything that was seen, when it is not what the row says.
pub(crate) fn check(backend: Backend, stack: Stack, row: &Row) {
    let node = Node::new();
    let Scene { pod, outside, .. } = Scene::with_stack(&node, "pod", stack);
    backend.enroll_stack(&pod, stack);

    let _outside_server = serve(&outside.root(), "outside", OUTSIDE_PORTS);
    let _app = serve(&pod.app(), "app", APP_PORTS);
    let endpoints = ["--endpoint", SERVICE_ENDPOINT, "--endpoint", SERVICE_ENDPOINT_V6];
    let sidecar = row
        .sidecar_runs
        .then(|| pod.proxy().sidecar(&[sidecar_flags(stack), &endpoints].concat()));

    let client = client(row.who, &pod, &outside);
    let flags: Vec<&str> = row.flags.iter().map(String::as_str).collect();
    let report = if row.datagram {
        client.datagram(&row.to, &flags)
    } else {
        client.connect(&row.to, &flags)
    };
    // Each line is written before the connection goes on, so all are there once the client has its answer.
    let lines = sidecar.map(|sidecar| sidecar.stop().lines).unwrap_or_default();
    let connections: Vec<Connection> = lines
        .iter()
        .map(|line| serde_json::from_str(line).expect("a line of the sidecar"))
        .collect();

    let wrong = compare(row, &report, &connections);
    assert!(
        wrong.is_empty(),
        "{wrong:#?}\nthe client: {report:#?}\nthe sidecar: {connections:#?}"
    );
}

/// A server on both families.
fn serve(launcher: &Launcher, name: &str, ports: &[u16]) -> Process {
    let everywhere = |port: u16| [format!("0.0.0.0:{port}"), format!("[::]:{port}")];
    let udp = everywhere(UDP_PORT)
        .into_iter()
        .flat_map(|address| ["--udp".to_owned(), address]);
    let flags: Vec<String> = udp.chain(ports.iter().copied().flat_map(everywhere)).collect();
    launcher.serve(name, &flags.iter().map(String::as_str).collect::<Vec<_>>())
}

fn client(who: Who, pod: &Pod<'_>, outside: &Namespace) -> Launcher {
    match who {
        Who::App => pod.app(),
        Who::Proxy => pod.proxy(),
        Who::AppInProxyGroup => pod.app().group(PROXY_UID),
        Who::ProxyUidOnly => pod.proxy_as(PROXY_UID, APP_UID),
        Who::ProxyGidOnly => pod.proxy_as(APP_UID, PROXY_UID),
        Who::Outside => outside.root(),
    }
}

/// Every difference between the row and what was seen, in words.
fn compare(row: &Row, report: &Report, connections: &[Connection]) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut expect = |holds: bool, what: String| {
        if !holds {
            wrong.push(what);
        }
    };
    expect(
        row.local
            .as_deref()
            .is_none_or(|local| report.local.is_none() || matches(report.local, local)),
        format!("client's getsockname is not {:?}", row.local),
    );
    expect(
        row.peer.as_deref().is_none_or(|peer| matches(report.peer, peer)),
        format!("client's getpeername is not {:?}", row.peer),
    );

    expect(
        connections.len() == row.hops.len(),
        format!("{} passages through the sidecar, not {}", connections.len(), row.hops.len()),
    );
    // Who comes to the next passage, and at last to the server.
    let mut comes = report.local.map(canonical);
    for (Hop { listener, local, original }, connection) in row.hops.iter().zip(connections) {
        expect(connection.listener == *listener, format!("not the sidecar's {listener:?} port"));
        expect(
            comes.is_none_or(|comes| connection.peer == comes),
            format!("sidecar's getpeername is not {comes:?}"),
        );
        expect(
            matches(Some(connection.local), local),
            format!("sidecar's getsockname is not {local}"),
        );
        expect(
            original
                .as_deref()
                .is_none_or(|original| matches(connection.original_destination, original)),
            format!("SO_ORIGINAL_DST is not {original:?}"),
        );
        comes = connection.upstream_local;
    }
    match &row.end {
        End::Answered(server, local) if report.received.is_some() => {
            let greeting = report.greeting();
            let name = match server {
                Server::App => "app",
                Server::Outside => "outside",
            };
            expect(greeting.name == name, format!("the server is not {name} but {}", greeting.name));
            expect(
                Some(greeting.peer) == comes,
                format!("server's getpeername is {}, not {comes:?}", greeting.peer),
            );
            expect(
                matches(Some(greeting.local), local),
                format!("server's getsockname is {}, not {local}", greeting.local),
            );
        }
        End::Answered(server, _) => expect(false, format!("no answer from {server:?}")),
        End::Reset => {
            let error = report.error.as_ref().map(|error| (error.step.as_str(), error.errno.as_str()));
            expect(
                matches!(error, Some(("receive" | "connect", "ECONNRESET"))),
                "not reset".to_owned(),
            );
        }
        End::Refused => expect(report.connect_error() == Some("ECONNREFUSED"), "not refused".to_owned()),
    }
    wrong
}

/// `expected` is an address and a port, or an address with any port.
fn matches(seen: Option<SocketAddr>, expected: &str) -> bool {
    let Some(seen) = seen else { return false };
    expected.parse::<SocketAddr>().map_or_else(
        |_| expected.parse::<IpAddr>().is_ok_and(|ip| seen.ip() == ip),
        |address| seen == address,
    )
}
