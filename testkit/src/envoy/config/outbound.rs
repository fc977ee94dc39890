// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What leaves the pod.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{
    access_log::access_log_of_listener,
    clusters::{BLACK_HOLE, PASSTHROUGH, outbound_cluster},
    filters::{HTTP, OUTBOUND, http, inspector, tcp, virtual_host},
    model::{Config, Protocol, Service, host, socket_address},
};

const PORT: u16 = 15001;

/// The one with the socket, and those that it hands connections to.
pub(super) fn listeners(config: &Config) -> Vec<Value> {
    let mut by_port: BTreeMap<u16, Vec<&Service>> = BTreeMap::new();
    for service in config.services.iter().filter(|service| service.protocol != Protocol::Tcp) {
        by_port.entry(service.address.port()).or_default().push(service);
    }
    let by_port = by_port.into_iter().map(|(port, services)| of_port(config, port, &services));
    let of_services = config.services.iter().filter(|service| service.protocol == Protocol::Tcp);
    let of_services = of_services.map(|service| of_service(config, service));
    [virtual_outbound(config)]
        .into_iter()
        .chain(by_port)
        .chain(of_services)
        .collect()
}

/// Takes everything; keeps what no other listener is for.
fn virtual_outbound(config: &Config) -> Value {
    let black_hole = tcp(
        config,
        OUTBOUND,
        "virtualOutbound-blackhole",
        &json!({ "destination_port": PORT }),
        BLACK_HOLE,
    );
    let catch_all = tcp(config, OUTBOUND, "virtualOutbound-catchall-tcp", &json!({}), PASSTHROUGH);
    let mut listener = listener(config, "virtualOutbound", config.wildcards(), PORT, &[black_hole, catch_all]);
    listener["use_original_dst"] = json!(true);
    listener["transparent"] = json!(config.transparent);
    listener
}

/// For all destinations with this port.
fn of_port(config: &Config, port: u16, services: &[&Service]) -> Value {
    let wildcards = config.wildcards();
    let name = format!("{}_{port}", wildcards[0]);
    let mut chains = Vec::new();
    let mut hosts = Vec::new();
    for service in services {
        let Service { name, address, .. } = service;
        match service.protocol {
            Protocol::Detect => {
                let ip = host(address.ip());
                let domains = [name.clone(), format!("{name}:{port}"), ip.clone(), format!("{ip}:{port}")];
                hosts.push(virtual_host(name, &domains, &outbound_cluster(service)));
            }
            Protocol::Tls => {
                let matches = json!({ "transport_protocol": "tls", "server_names": [name] });
                chains.push(tcp(
                    config,
                    OUTBOUND,
                    &format!("{name}_{port}"),
                    &matches,
                    &outbound_cluster(service),
                ));
            }
            Protocol::Tcp => {}
        }
    }
    if !hosts.is_empty() {
        hosts.push(virtual_host("allow_any", &["*".to_owned()], PASSTHROUGH));
        let matches = json!({ "transport_protocol": "raw_buffer", "application_protocols": HTTP });
        chains.push(http(config, OUTBOUND, &name, &matches, &hosts));
    }
    let mut listener = without_socket(listener(config, &name, wildcards, port, &chains));
    listener["default_filter_chain"] = tcp(config, OUTBOUND, "PassthroughFilterChain", &Value::Null, PASSTHROUGH);
    listener["listener_filters"] =
        json!([inspector("tls_inspector", "TlsInspector", &[]), inspector("http_inspector", "HttpInspector", &[])]);
    listener
}

/// For one destination.
fn of_service(config: &Config, service: &Service) -> Value {
    let (ip, port) = (service.address.ip().to_string(), service.address.port());
    let name = format!("{ip}_{port}");
    let chain = tcp(config, OUTBOUND, &name, &json!({}), &outbound_cluster(service));
    without_socket(listener(config, &name, &[&ip], port, &[chain]))
}

fn listener(config: &Config, name: &str, ips: &[&str], port: u16, chains: &[Value]) -> Value {
    let more = ips[1..].iter().map(|ip| json!({ "address": socket_address(ip, port) }));
    json!({
        "name": name,
        "address": socket_address(ips[0], port),
        "additional_addresses": more.collect::<Vec<_>>(),
        "traffic_direction": "OUTBOUND",
        "filter_chains": chains,
        "listener_filters_timeout": "0s",
        "continue_on_listener_filters_timeout": true,
        "access_log": access_log_of_listener(OUTBOUND, &config.access_log),
    })
}

fn without_socket(mut listener: Value) -> Value {
    listener["bind_to_port"] = json!(false);
    listener
}
