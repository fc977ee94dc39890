// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Where connections go.

use serde_json::{Value, json};

use super::model::{Config, Service, of, socket_address};

/// Nowhere.
pub(super) const BLACK_HOLE: &str = "BlackHoleCluster";
/// Where the application wanted to go.
pub(super) const PASSTHROUGH: &str = "PassthroughCluster";

/// Into the application, from this address: no rule intercepts that again.
const INBOUND_SOURCE_V4: &str = "127.0.0.6";
const INBOUND_SOURCE_V6: &str = "::6";

pub(super) fn outbound_cluster(service: &Service) -> String {
    format!("outbound|{}||{}", service.address.port(), service.name)
}

pub(super) fn inbound_cluster(port: u16) -> String {
    format!("inbound|{port}||")
}

/// For ports that nobody declared.
pub(super) fn inbound_passthrough(v6: bool) -> &'static str {
    if v6 {
        "InboundPassthroughClusterIpv6"
    } else {
        "InboundPassthroughClusterIpv4"
    }
}

pub(super) fn clusters(config: &Config) -> Vec<Value> {
    let black_hole = json!({ "name": BLACK_HOLE, "type": "STATIC", "connect_timeout": "10s" });
    let mut clusters = vec![black_hole, original_destination(PASSTHROUGH)];
    clusters.extend(config.services.iter().map(endpoint));
    let sources: Vec<&str> = [(config.stack.has_v4(), INBOUND_SOURCE_V4), (config.stack.has_v6(), INBOUND_SOURCE_V6)]
        .into_iter()
        .filter_map(|(exists, source)| exists.then_some(source))
        .collect();
    clusters.extend(
        config
            .ports
            .iter()
            .map(|port| from(original_destination(&inbound_cluster(port.number)), &sources)),
    );
    clusters.extend(sources.iter().map(|source| {
        let name = inbound_passthrough(*source == INBOUND_SOURCE_V6);
        from(original_destination(name), &[source])
    }));
    clusters
}

fn original_destination(name: &str) -> Value {
    json!({
        "name": name,
        "type": "ORIGINAL_DST",
        "lb_policy": "CLUSTER_PROVIDED",
        "connect_timeout": "10s",
        "typed_extension_protocol_options": any_http(),
    })
}

fn endpoint(service: &Service) -> Value {
    let name = outbound_cluster(service);
    let endpoint = json!({ "endpoint": { "address": of(service.endpoint) } });
    json!({
        "name": name,
        "type": "STATIC",
        "connect_timeout": "10s",
        "load_assignment": { "cluster_name": name, "endpoints": [{ "lb_endpoints": [endpoint] }] },
        "typed_extension_protocol_options": any_http(),
    })
}

/// Bound to the source of the destination's family.
fn from(mut cluster: Value, sources: &[&str]) -> Value {
    let address = |ip: &str| socket_address(ip, 0)["socket_address"].clone();
    let more = sources[1..].iter().map(|ip| json!({ "address": address(ip) }));
    cluster["upstream_bind_config"] =
        json!({ "source_address": address(sources[0]), "extra_source_addresses": more.collect::<Vec<_>>() });
    cluster
}

/// The version of HTTP that the client speaks.
fn any_http() -> Value {
    json!({ "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
        "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
        "use_downstream_protocol_config": { "http_protocol_options": {}, "http2_protocol_options": {} },
    } })
}
