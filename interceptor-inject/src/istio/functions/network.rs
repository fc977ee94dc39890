// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Istio's functions about ports and networks.

use gtmpl_ng::Value as Go;
use serde_json::Value as Json;

use super::arguments::{Answer, exactly, fault, text};
use crate::istio::go;

/// `excludeInboundPort PORT LIST`: the list with the port. `0` is no port.
pub(super) fn exclude_inbound_port(arguments: &[Go]) -> Answer {
    let [port, list] = exactly("excludeInboundPort", arguments)?;
    let (port, list) = (go::sprint(port), text("excludeInboundPort", list)?);
    let port = port.trim();
    let ports = || list.split(',').map(str::trim);
    if port.is_empty() || port == "0" || ports().any(|known| known == port) {
        return Ok(Go::String(list.to_owned()));
    }
    let all: Vec<&str> = ports().filter(|known| !known.is_empty()).chain([port]).collect();
    Ok(Go::String(all.join(",")))
}

/// `appendMultusNetwork LIST NETWORK`: the networks of a pod, as JSON or with commas, and one more.
pub(super) fn append_multus_network(arguments: &[Go]) -> Answer {
    let [list, network] = exactly("appendMultusNetwork", arguments)?;
    let (list, network) = (text("appendMultusNetwork", list)?, text("appendMultusNetwork", network)?);
    let Some(end) = list.rfind(']') else {
        let known = list.split(',').any(|known| known.trim() == network);
        return Ok(Go::String(match (list, known) {
            ("", _) => network.to_owned(),
            (list, true) => list.to_owned(),
            (list, false) => format!("{list}, {network}"),
        }));
    };
    let networks: Vec<Json> =
        serde_json::from_str(list).map_err(|error| fault(format!("appendMultusNetwork: {list:?}: {error}")))?;
    if networks
        .iter()
        .any(|known| known.get("name").is_some_and(|name| name == network))
    {
        return Ok(Go::String(list.to_owned()));
    }
    let comma = if networks.is_empty() { "" } else { ", " };
    let (before, after) = list.split_at(end);
    Ok(Go::String(format!(
        "{before}{comma}{{\"name\": {}}}{after}",
        Json::from(network)
    )))
}
