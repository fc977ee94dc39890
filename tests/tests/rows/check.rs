// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Carries out one row in a pod of its own, and compares what everyone saw.

use std::net::{IpAddr, SocketAddr};

use interceptor_tests::{
    APP_UID, Backend, Launcher, Namespace, Node, PROXY_UID, Pod,
    records::{Connection, Report, canonical},
    scene::Scene,
};

use crate::row::{End, Hop, Row, SERVICE_ENDPOINT, Server, Who};

const APP_LISTENS: &[&str] =
    &["--udp", "0.0.0.0:5353", "0.0.0.0:8080", "0.0.0.0:15002", "0.0.0.0:15008", "0.0.0.0:15020", "0.0.0.0:15021", "0.0.0.0:15090"];
const OUTSIDE_LISTENS: &[&str] = &["--udp", "0.0.0.0:5353", "0.0.0.0:80", "0.0.0.0:22", "0.0.0.0:53", "0.0.0.0:15008"];

/// Panics, with everything that was seen, when it is not what the row says.
pub(crate) fn check(backend: Backend, row: &Row) {
    let node = Node::new();
    let Scene { pod, outside } = Scene::new(&node, "pod");
    backend.enrol(&pod);

    let _outside_server = outside.root().serve("outside", OUTSIDE_LISTENS);
    let _app = pod.app().serve("app", APP_LISTENS);
    let sidecar = row.sidecar_runs.then(|| pod.proxy().sidecar(&["--endpoint", SERVICE_ENDPOINT]));

    let client = client(row.who, &pod, &outside);
    let report = if row.datagram { client.datagram(row.to, row.flags) } else { client.connect(row.to, row.flags) };
    // Each line is written before the connection goes on, so all are there once the client has its answer.
    let lines = sidecar.map(|sidecar| sidecar.stop().lines).unwrap_or_default();
    let connections: Vec<Connection> = lines.iter().map(|line| serde_json::from_str(line).expect("a line of the sidecar")).collect();

    let wrong = compare(row, &report, &connections);
    assert!(wrong.is_empty(), "{wrong:#?}\nthe client: {report:#?}\nthe sidecar: {connections:#?}");
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
        row.local.is_none_or(|local| report.local.is_none() || matches(report.local, local)),
        format!("client's getsockname is not {:?}", row.local),
    );
    expect(row.peer.is_none_or(|peer| matches(report.peer, peer)), format!("client's getpeername is not {:?}", row.peer));

    expect(connections.len() == row.hops.len(), format!("{} passages through the sidecar, not {}", connections.len(), row.hops.len()));
    // Who comes to the next passage, and at last to the server.
    let mut comes = report.local.map(canonical);
    for (Hop { listener, local, original }, connection) in row.hops.iter().zip(connections) {
        expect(connection.listener == *listener, format!("not the sidecar's {listener:?} port"));
        expect(comes.is_none_or(|comes| connection.peer == comes), format!("sidecar's getpeername is not {comes:?}"));
        expect(matches(Some(connection.local), local), format!("sidecar's getsockname is not {local}"));
        expect(
            original.is_none_or(|original| matches(connection.original_destination, original)),
            format!("SO_ORIGINAL_DST is not {original:?}"),
        );
        comes = connection.upstream_local;
    }
    match row.end {
        End::Answered(server, local) if report.received.is_some() => {
            let greeting = report.greeting();
            let name = match server {
                Server::App => "app",
                Server::Outside => "outside",
            };
            expect(greeting.name == name, format!("the server is not {name} but {}", greeting.name));
            expect(Some(greeting.peer) == comes, format!("server's getpeername is {}, not {comes:?}", greeting.peer));
            expect(matches(Some(greeting.local), local), format!("server's getsockname is {}, not {local}", greeting.local));
        }
        End::Answered(server, _) => expect(false, format!("no answer from {server:?}")),
        End::Reset => {
            let error = report.error.as_ref().map(|error| (error.step.as_str(), error.errno.as_str()));
            expect(matches!(error, Some(("receive" | "connect", "ECONNRESET"))), "not reset".to_owned());
        }
        End::Refused => expect(report.connect_error() == Some("ECONNREFUSED"), "not refused".to_owned()),
    }
    wrong
}

/// `expected` is an address and a port, or an address with any port.
fn matches(seen: Option<SocketAddr>, expected: &str) -> bool {
    let Some(seen) = seen else { return false };
    expected.parse::<SocketAddr>().map_or_else(|_| expected.parse::<IpAddr>().is_ok_and(|ip| seen.ip() == ip), |address| seen == address)
}
