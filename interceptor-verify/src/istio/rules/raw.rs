// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Table `raw`: conntrack zones that keep an application's question apart from the agent's own.

use super::{super::config::Config, dns::Dns, family::Family};

/// Chains, then rules.
pub(super) fn raw(config: &Config, family: Family) -> Vec<String> {
    let dns = Dns::of(config);
    if dns == Dns::Off {
        return Vec::new();
    }
    let mut lines = vec!["-N ISTIO_OUTPUT_DNS".to_owned(), "-A OUTPUT -j ISTIO_OUTPUT_DNS".to_owned()];
    for (letter, owner) in [('u', "--uid-owner"), ('g', "--gid-owner")] {
        for id in config.list(letter) {
            lines.push(format!(
                "-A ISTIO_OUTPUT_DNS -p udp --dport 53 -m owner {owner} {id} -j CT --zone 1"
            ));
            lines.push(format!(
                "-A ISTIO_OUTPUT_DNS -p udp --sport 15053 -m owner {owner} {id} -j CT --zone 2"
            ));
        }
    }
    let servers = family.servers(config);
    let (to, from): (Vec<String>, Vec<String>) = match dns {
        Dns::Off => return Vec::new(),
        Dns::All => (vec![String::new()], vec![String::new()]),
        Dns::Servers if servers.is_empty() => return lines,
        Dns::Servers => servers
            .iter()
            .map(|server| (format!("-d {server} "), format!("-s {server} ")))
            .unzip(),
    };
    lines.extend(["-N ISTIO_INBOUND", "-A PREROUTING -j ISTIO_INBOUND"].map(str::to_owned));
    lines.extend(
        to.iter()
            .map(|to| format!("-A ISTIO_OUTPUT_DNS -p udp --dport 53 {to}-j CT --zone 2")),
    );
    lines.extend(
        from.iter()
            .map(|from| format!("-A ISTIO_INBOUND -p udp --sport 53 {from}-j CT --zone 1")),
    );
    lines
}
