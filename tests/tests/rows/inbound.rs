// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Connections from outside to the pod.

use testkit::{records::Listener, scene::OUTSIDE};

use crate::row::{Row, Server::App, Who};

/// From outside to the pod, with and without a sidecar that listens.
pub(crate) fn rows() -> Vec<Row> {
    let row = |name, to| Row::new(name, Who::Outside, to).from(OUTSIDE);
    let captured = |name, to| row(name, to).inbound(to).reaches(App, to);
    let direct = |name, to| row(name, to).reaches(App, to);
    vec![
        captured("inbound", "10.99.0.2:8080"),
        captured("inbound_to_second_address", "10.99.0.3:8080"),
        captured("inbound_mapped", "10.99.0.2:8080")
            .flags(&["--family", "6-mapped"])
            .from("::ffff:10.99.0.1")
            .peer("[::ffff:10.99.0.2]:8080"),
        row("inbound_to_silent_port", "10.99.0.2:22")
            .inbound("10.99.0.2:22")
            .ends_in_reset(),
        row("inbound_to_outbound_port", "10.99.0.2:15001")
            .inbound("10.99.0.2:15001")
            .undirected(Listener::Outbound, "10.99.0.2:15001")
            .ends_in_reset(),
        row("inbound_to_inbound_port", "10.99.0.2:15006")
            .inbound("10.99.0.2:15006")
            .ends_in_reset(),
        direct("inbound_to_tunnel_port", "10.99.0.2:15008"),
        direct("inbound_to_metrics_port", "10.99.0.2:15090"),
        direct("inbound_to_health_port", "10.99.0.2:15021"),
        direct("inbound_to_agent_port", "10.99.0.2:15020"),
        row("inbound_udp", "10.99.0.2:5353").datagram().reaches(App, "10.99.0.2:5353"),
        row("inbound_without_sidecar", "10.99.0.2:8080")
            .without_sidecar()
            .ends_refused(),
        direct("inbound_to_health_port_without_sidecar", "10.99.0.2:15021").without_sidecar(),
    ]
}
