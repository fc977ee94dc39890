// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What enters the pod.

use serde_json::{Value, json};

use super::{
    access_log::access_log_of_listener,
    clusters::{BLACK_HOLE, inbound_cluster, inbound_passthrough},
    filters::{HTTP, INBOUND, http, inspector, tcp, virtual_host},
    model::{Config, Port, Protocol, socket_address},
};

const PORT: u16 = 15006;
/// The mark that tells the pod's own rules which connections keep the client's address.
const TPROXY_MARK: u32 = 1337;

pub(super) fn listener(config: &Config) -> Value {
    let [ip, more @ ..] = config.wildcards() else {
        unreachable!("a pod has an address")
    };
    let more = more.iter().map(|ip| json!({ "address": socket_address(ip, PORT) }));
    json!({
        "name": "virtualInbound",
        "address": socket_address(ip, PORT),
        "additional_addresses": more.collect::<Vec<_>>(),
        "traffic_direction": "INBOUND",
        "transparent": config.transparent,
        "listener_filters": listener_filters(config),
        "listener_filters_timeout": "0s",
        "continue_on_listener_filters_timeout": true,
        "filter_chains": chains(config),
        "access_log": access_log_of_listener(INBOUND, &config.access_log),
    })
}

fn listener_filters(config: &Config) -> Vec<Value> {
    let undetected: Vec<u16> = config
        .ports
        .iter()
        .filter(|port| port.protocol == Protocol::Tcp)
        .map(|port| port.number)
        .collect();
    let mut filters = vec![inspector("original_dst", "OriginalDst", &[])];
    if config.transparent {
        let mut original_src = inspector("original_src", "OriginalSrc", &[]);
        original_src["typed_config"]["mark"] = json!(TPROXY_MARK);
        filters.push(original_src);
    }
    filters.push(inspector("tls_inspector", "TlsInspector", &undetected));
    filters.push(inspector("http_inspector", "HttpInspector", &undetected));
    filters
}

fn chains(config: &Config) -> Vec<Value> {
    let mut chains = vec![tcp(
        config,
        INBOUND,
        "virtualInbound-blackhole",
        &json!({ "destination_port": PORT }),
        BLACK_HOLE,
    )];
    chains.extend(config.ports.iter().flat_map(|port| of_port(config, *port)));
    // Nothing tells a filter chain of which family a connection is but the range of its destination.
    let families = [(config.stack.has_v4(), "0.0.0.0", false), (config.stack.has_v6(), "::", true)];
    for (_, ip, v6) in families.into_iter().filter(|(exists, ..)| *exists) {
        let cluster = inbound_passthrough(v6);
        let any = json!([{ "address_prefix": ip, "prefix_len": 0 }]);
        let is_http =
            json!({ "prefix_ranges": any, "transport_protocol": "raw_buffer", "application_protocols": HTTP });
        let everything = virtual_host("inbound|http|0", &["*".to_owned()], cluster);
        chains.push(http(config, INBOUND, "virtualInbound-catchall-http", &is_http, &[everything]));
        chains.push(tcp(
            config,
            INBOUND,
            "virtualInbound",
            &json!({ "prefix_ranges": any }),
            cluster,
        ));
    }
    chains
}

fn of_port(config: &Config, Port { number, protocol }: Port) -> Vec<Value> {
    let cluster = inbound_cluster(number);
    let name = format!("{}_{number}", config.wildcards()[0]);
    let mut chains = vec![tcp(config, INBOUND, &name, &json!({ "destination_port": number }), &cluster)];
    if protocol == Protocol::Detect {
        let is_http =
            json!({ "destination_port": number, "transport_protocol": "raw_buffer", "application_protocols": HTTP });
        let everything = virtual_host(&format!("inbound|http|{number}"), &["*".to_owned()], &cluster);
        chains.push(http(config, INBOUND, &name, &is_http, &[everything]));
    }
    chains
}
