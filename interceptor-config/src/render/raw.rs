// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Table `raw`: two conntrack zones for DNS over UDP. An application's query and the agent's own query may have the
//! same addresses and ports. The zones make them two connections.

use super::{
    plan::{Dns, Plan},
    rules::{ISTIO_INBOUND, ISTIO_OUTPUT_DNS, OUTPUT, PREROUTING, Table},
};

/// From port 15053, where the agent answers.
const ANSWERS: &str = "-p udp --sport 15053";
const QUERIES: &str = "-p udp --dport 53";
const ANSWERS_OF_SERVERS: &str = "-p udp --sport 53";
/// Between the agent and DNS servers.
const UPSTREAM: &str = "-j CT --zone 1";
/// Between applications and the agent.
const DOWNSTREAM: &str = "-j CT --zone 2";

pub(super) fn table(plan: &Plan<'_>) -> Table {
    let mut raw = Table::new("raw");
    if !plan.dns.is_on() {
        return raw;
    }
    raw.append(OUTPUT, "-j ISTIO_OUTPUT_DNS");
    for owner in &plan.owners {
        raw.append(ISTIO_OUTPUT_DNS, format_args!("{QUERIES} -m owner {owner} {UPSTREAM}"));
        raw.append(ISTIO_OUTPUT_DNS, format_args!("{ANSWERS} -m owner {owner} {DOWNSTREAM}"));
    }
    match &plan.dns {
        Dns::All => {
            raw.append(PREROUTING, "-j ISTIO_INBOUND");
            raw.append(ISTIO_OUTPUT_DNS, format_args!("{QUERIES} {DOWNSTREAM}"));
            raw.append(ISTIO_INBOUND, format_args!("{ANSWERS_OF_SERVERS} {UPSTREAM}"));
        }
        Dns::Servers(servers) if !servers.is_empty() => {
            raw.append(PREROUTING, "-j ISTIO_INBOUND");
            for server in servers {
                raw.append(ISTIO_OUTPUT_DNS, format_args!("{QUERIES} -d {server} {DOWNSTREAM}"));
                raw.append(ISTIO_INBOUND, format_args!("{ANSWERS_OF_SERVERS} -s {server} {UPSTREAM}"));
            }
        }
        Dns::Servers(_) | Dns::Off => {}
    }
    raw
}
