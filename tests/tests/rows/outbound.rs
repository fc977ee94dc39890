// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Connections made in the pod.

use testkit::{
    records::Listener,
    scene::{POD, POD_SECOND},
};

use crate::row::{
    Row, SERVICE,
    Server::{App, Outside},
    Who,
};

pub(crate) fn rows() -> Vec<Row> {
    [
        from_the_app(),
        from_the_app_to_its_pod(),
        from_the_proxy(),
        from_the_proxy_to_its_pod(),
        without_a_listener(),
    ]
    .concat()
}

/// From the application to addresses outside and to a service.
fn from_the_app() -> Vec<Row> {
    let row = |name, to| Row::new(name, Who::App, to).from(POD);
    let captured = |name, to| row(name, to).outbound(to).reaches(Outside, to);
    vec![
        captured("app_to_http", "10.99.0.1:80"),
        captured("app_to_ssh", "10.99.0.1:22"),
        captured("app_to_dns_over_tcp", "10.99.0.1:53"),
        captured("app_to_tunnel_port", "10.99.0.1:15008"),
        captured("app_without_blocking", "10.99.0.1:80").flags(&["--nonblocking"]),
        captured("app_bound_to_pod_address", "10.99.0.1:80").flags(&["--bind", "10.99.0.2"]),
        captured("app_bound_to_second_address", "10.99.0.1:80")
            .flags(&["--bind", "10.99.0.3"])
            .from(POD_SECOND),
        captured("app_bound_to_port", "10.99.0.1:80")
            .flags(&["--bind", "0.0.0.0:40000"])
            .from("10.99.0.2:40000"),
        captured("app_bound_to_address_and_port", "10.99.0.1:80")
            .flags(&["--bind", "10.99.0.2:40000"])
            .from("10.99.0.2:40000"),
        captured("app_mapped", "10.99.0.1:80")
            .flags(&["--family", "6-mapped"])
            .from("::ffff:10.99.0.2")
            .peer("[::ffff:10.99.0.1]:80"),
        captured("app_with_supplementary_proxy_group", "10.99.0.1:80").by(Who::AppInProxyGroup),
        captured("socket_of_root_used_by_proxy", "10.99.0.1:80")
            .by(Who::Proxy)
            .flags(&["--socket-before-setuid"]),
        row("app_to_service_of_its_own", SERVICE)
            .outbound(SERVICE)
            .inbound_from_inside("10.99.0.2:8080")
            .reaches(App, "10.99.0.2:8080"),
        row("app_udp", "10.99.0.1:5353").datagram().reaches(Outside, "10.99.0.1:5353"),
    ]
}

/// From the application to addresses of its own pod.
fn from_the_app_to_its_pod() -> Vec<Row> {
    let row = |name, to| Row::new(name, Who::App, to);
    vec![
        row("app_to_pod_address", "10.99.0.2:8080")
            .from(POD)
            .reaches(App, "10.99.0.2:8080"),
        row("app_to_second_address", "10.99.0.3:8080")
            .from(POD)
            .reaches(App, "10.99.0.3:8080"),
        row("app_to_localhost", "127.0.0.1:8080")
            .from("127.0.0.1")
            .reaches(App, "127.0.0.1:8080"),
        row("app_to_other_loopback", "127.0.0.2:8080")
            .from("127.0.0.1")
            .reaches(App, "127.0.0.2:8080"),
        row("app_to_unspecified", "0.0.0.0:8080")
            .from("127.0.0.1")
            .peer("127.0.0.1:8080")
            .reaches(App, "127.0.0.1:8080"),
        row("app_to_outbound_port", "127.0.0.1:15001")
            .undirected(Listener::Outbound, "127.0.0.1:15001")
            .ends_in_reset(),
        row("app_to_inbound_port", "127.0.0.1:15006")
            .undirected(Listener::Inbound, "127.0.0.1:15006")
            .ends_in_reset(),
        row("app_to_outbound_port_of_pod_address", "10.99.0.2:15001")
            .undirected(Listener::Outbound, "10.99.0.2:15001")
            .ends_in_reset(),
    ]
}

/// From the sidecar to an address outside.
fn from_the_proxy() -> Vec<Row> {
    let row = |name, who| Row::new(name, who, "10.99.0.1:80").from(POD).reaches(Outside, "10.99.0.1:80");
    vec![
        row("proxy_to_outside", Who::Proxy),
        row("proxy_uid_only_to_outside", Who::ProxyUidOnly),
        row("proxy_gid_only_to_outside", Who::ProxyGidOnly),
        row("socket_of_proxy_used_by_app", Who::App).flags(&["--socket-owner", "1337"]),
        row("socket_of_effective_proxy_used_by_app", Who::App).flags(&["--socket-effective-owner", "1337"]),
    ]
}

/// From the sidecar to addresses of its own pod.
fn from_the_proxy_to_its_pod() -> Vec<Row> {
    let row = |name, to| Row::new(name, Who::Proxy, to);
    let looped = |name, to| row(name, to).from(POD).inbound_from_inside(to).reaches(App, to);
    vec![
        row("proxy_to_localhost", "127.0.0.1:8080")
            .from("127.0.0.1")
            .reaches(App, "127.0.0.1:8080"),
        looped("proxy_to_other_loopback", "127.0.0.2:8080").from("127.0.0.1"),
        looped("proxy_to_pod_address", "10.99.0.2:8080"),
        looped("proxy_to_second_address", "10.99.0.3:8080"),
        looped("proxy_to_port_excluded_inbound", "10.99.0.2:15090"),
        looped("proxy_to_health_port", "10.99.0.2:15021"),
        looped("proxy_uid_only_to_pod_address", "10.99.0.2:8080").by(Who::ProxyUidOnly),
        row("proxy_to_tunnel_port", "10.99.0.2:15008")
            .from(POD)
            .reaches(App, "10.99.0.2:15008"),
        row("passthrough_to_pod_address", "10.99.0.2:8080").passing_through("10.99.0.2:8080"),
        row("passthrough_to_other_loopback", "127.0.0.2:8080").passing_through("127.0.0.2:8080"),
        row("passthrough_of_app", "10.99.0.2:8080")
            .by(Who::App)
            .passing_through("10.99.0.2:8080"),
        looped("proxy_from_localhost", "10.99.0.2:8080")
            .flags(&["--bind", "127.0.0.1"])
            .from("127.0.0.1"),
        looped("proxy_from_pod_address", "10.99.0.2:8080").flags(&["--bind", "10.99.0.2"]),
        row("proxy_gid_only_to_pod_address", "10.99.0.2:8080")
            .by(Who::ProxyGidOnly)
            .from(POD)
            .reaches(App, "10.99.0.2:8080"),
        looped("validation", "127.0.0.6:15002")
            .flags(&["--bind", "127.0.0.1"])
            .from("127.0.0.1"),
    ]
}

/// To where nobody listens.
fn without_a_listener() -> Vec<Row> {
    vec![
        Row::new("app_to_outside_without_sidecar", Who::App, "10.99.0.1:80")
            .without_sidecar()
            .ends_refused(),
        Row::new("proxy_to_pod_without_sidecar", Who::Proxy, "10.99.0.2:8080")
            .without_sidecar()
            .ends_refused(),
        Row::new("app_to_silent_port_of_pod", Who::App, "10.99.0.2:9").ends_refused(),
        Row::new("app_to_silent_port_outside", Who::App, "10.99.0.1:9")
            .outbound("10.99.0.1:9")
            .ends_in_reset(),
        Row::new("proxy_to_silent_port_outside", Who::Proxy, "10.99.0.1:9").ends_refused(),
    ]
}
