// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Filters and filter chains that listeners of both directions have.

use serde_json::{Value, json};

use super::{access_log::access_log, model::Config};

pub(super) const OUTBOUND: &str = "outbound";
pub(super) const INBOUND: &str = "inbound";

/// HTTP, as `http_inspector` names it.
pub(super) const HTTP: [&str; 3] = ["http/1.0", "http/1.1", "h2c"];

/// A filter chain that passes bytes to `cluster`.
pub(super) fn tcp(config: &Config, direction: &str, name: &str, matches: &Value, cluster: &str) -> Value {
    let filter = json!({
        "name": "envoy.filters.network.tcp_proxy",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy",
            "stat_prefix": cluster,
            "cluster": cluster,
            "access_log": access_log(direction, &config.access_log),
        },
    });
    json!({ "name": name, "filter_chain_match": matches, "filters": [filter] })
}

/// A filter chain that routes requests by `virtual_hosts`.
pub(super) fn http(config: &Config, direction: &str, name: &str, matches: &Value, virtual_hosts: &[Value]) -> Value {
    let filter = json!({
        "name": "envoy.filters.network.http_connection_manager",
        "typed_config": {
            "@type": type_of("network.http_connection_manager.v3.HttpConnectionManager"),
            "stat_prefix": name,
            "codec_type": "AUTO",
            "use_remote_address": false,
            "upgrade_configs": [{ "upgrade_type": "websocket" }],
            "stream_idle_timeout": "0s",
            "route_config": { "name": name, "validate_clusters": true, "virtual_hosts": virtual_hosts },
            "http_filters": [{
                "name": "envoy.filters.http.router",
                "typed_config": { "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router" },
            }],
            "access_log": access_log(direction, &config.access_log),
        },
    });
    json!({ "name": name, "filter_chain_match": matches, "filters": [filter] })
}

/// Sends every request for one of `domains` to `cluster`.
pub(super) fn virtual_host(name: &str, domains: &[String], cluster: &str) -> Value {
    let route = json!({ "match": { "prefix": "/" }, "route": { "cluster": cluster, "timeout": "0s" } });
    json!({ "name": name, "domains": domains, "routes": [route] })
}

/// `envoy.filters.listener.NAME`, except for connections to `unless`.
pub(super) fn inspector(name: &str, message: &str, unless: &[u16]) -> Value {
    let mut filter = json!({
        "name": format!("envoy.filters.listener.{name}"),
        "typed_config": { "@type": type_of(&format!("listener.{name}.v3.{message}")) },
    });
    let ports = unless
        .iter()
        .map(|port| json!({ "destination_port_range": { "start": port, "end": port + 1 } }));
    match ports.collect::<Vec<_>>().as_slice() {
        [] => {}
        [port] => filter["filter_disabled"] = port.clone(),
        ports => filter["filter_disabled"] = json!({ "or_match": { "rules": ports } }),
    }
    filter
}

/// The name of a filter's configuration, as a message of Protocol Buffers.
fn type_of(filter: &str) -> String {
    format!("type.googleapis.com/envoy.extensions.filters.{filter}")
}
