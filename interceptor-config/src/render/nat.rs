// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Table `nat`: which connections are redirected. Marks are not its business.

use super::{
    plan::{Dns, Owner, Plan},
    rules::{
        ISTIO_IN_REDIRECT, ISTIO_INBOUND, ISTIO_OUTPUT, ISTIO_OUTPUT_DNS, ISTIO_REDIRECT, OUTPUT, PREROUTING, Table,
    },
};
use crate::{
    istio::{DNS_PORT, InboundConfig, InterfacesConfig, OutboundConfig, OwnerGroupsConfig, ProxyConfig},
    values::{Cidr, Selection},
};

pub(super) fn table(plan: &Plan<'_>) -> Table {
    let ProxyConfig { envoy_port, inbound_capture_port, inbound_tunnel_port, uids: _, gids: _ } = plan.proxy;
    // Whether there are rules for IPv6 at all is decided elsewhere.
    let InterfacesConfig { excluded, of_virtual_machines, dual_stack: _ } = plan.interfaces;
    let mut nat = Table::new("nat");
    for interface in excluded {
        nat.append(PREROUTING, format_args!("-i {interface} -j RETURN"));
        nat.append(OUTPUT, format_args!("-o {interface} -j RETURN"));
    }
    for interface in of_virtual_machines {
        nat.insert(PREROUTING, 1, format_args!("-i {interface} -j RETURN"));
    }
    nat.append(ISTIO_INBOUND, format_args!("-p tcp --dport {inbound_tunnel_port} -j RETURN"));
    nat.append(ISTIO_REDIRECT, format_args!("-p tcp -j REDIRECT --to-ports {envoy_port}"));
    nat.append(
        ISTIO_IN_REDIRECT,
        format_args!("-p tcp -j REDIRECT --to-ports {inbound_capture_port}"),
    );
    if plan.tproxy_mark.is_none() {
        inbound(&mut nat, plan);
    }
    nat.append(OUTPUT, "-j ISTIO_OUTPUT");
    output(&mut nat, plan);
    nat
}

/// A list without ports counts as no list: the rules that Istio writes for `-b ,` match no packet.
fn inbound(nat: &mut Table, plan: &Plan<'_>) {
    let InboundConfig { mode: _, ports, ports_excluded, drop_invalid: _ } = plan.inbound;
    match ports {
        Selection::All => {
            nat.append(PREROUTING, "-p tcp -j ISTIO_INBOUND");
            for ports in ports_excluded {
                nat.append(ISTIO_INBOUND, format_args!("-p tcp --dport {ports} -j RETURN"));
            }
            nat.append(ISTIO_INBOUND, "-p tcp -j ISTIO_IN_REDIRECT");
        }
        Selection::Listed(ports) if ports.is_empty() => {}
        Selection::Listed(ports) => {
            nat.append(PREROUTING, "-p tcp -j ISTIO_INBOUND");
            for ports in ports {
                nat.append(ISTIO_INBOUND, format_args!("-p tcp --dport {ports} -j ISTIO_IN_REDIRECT"));
            }
        }
    }
}

fn output(nat: &mut Table, plan: &Plan<'_>) {
    let OutboundConfig { ranges, ranges_excluded, ports, ports_excluded, loopback_range: _ } = &plan.outbound;
    for ports in ports_excluded {
        nat.append(ISTIO_OUTPUT, format_args!("-p tcp --dport {ports} -j RETURN"));
        nat.append(ISTIO_OUTPUT, format_args!("-p udp --dport {ports} -j RETURN"));
    }
    nat.append(ISTIO_OUTPUT, format_args!("-o lo -s {} -j RETURN", plan.passthrough));
    for owner in &plan.owners {
        proxy(nat, plan, owner);
    }
    owner_groups(nat, plan.owner_groups);
    dns(nat, &plan.dns);
    nat.append(ISTIO_OUTPUT, format_args!("-d {} -j RETURN", plan.loopback));
    for range in ranges_excluded {
        nat.append(ISTIO_OUTPUT, format_args!("-d {range} -j RETURN"));
    }
    for ports in ports {
        nat.append(ISTIO_OUTPUT, format_args!("-p tcp --dport {ports} -j ISTIO_REDIRECT"));
    }
    included(nat, ranges, &plan.interfaces.of_virtual_machines);
}

/// The rules for one identity of the sidecar: from the sidecar to its own pod, from others to their own pod, from the
/// sidecar to anywhere.
fn proxy(nat: &mut Table, plan: &Plan<'_>, owner: &Owner<'_>) {
    let (loopback, tunnel) = (&plan.loopback, plan.proxy.inbound_tunnel_port);
    // Istio excepts DNS queries to a server in the pod for users of the sidecar only, not for groups.
    let ports = if plan.dns.is_on() && owner.is_user() {
        format!("-m multiport ! --dports 53,{tunnel}")
    } else {
        format!("! --dport {tunnel}")
    };
    nat.append(
        ISTIO_OUTPUT,
        format_args!("-o lo ! -d {loopback} -p tcp {ports} -m owner {owner} -j ISTIO_IN_REDIRECT"),
    );
    if !plan.loopback_included {
        // Queries to DNS servers in the pod are left to the rules for DNS.
        let but_dns = if plan.dns.is_on() { "-p tcp ! --dport 53 " } else { "" };
        nat.append(ISTIO_OUTPUT, format_args!("-o lo {but_dns}-m owner ! {owner} -j RETURN"));
    }
    nat.append(ISTIO_OUTPUT, format_args!("-m owner {owner} -j RETURN"));
}

fn owner_groups(nat: &mut Table, groups: &OwnerGroupsConfig) {
    let OwnerGroupsConfig { included, excluded } = groups;
    match included {
        Selection::All => {
            for group in excluded {
                nat.append(ISTIO_OUTPUT, format_args!("-m owner --gid-owner {group} -j RETURN"));
            }
        }
        // Nobody is a member of an empty list, so the rule returns everything.
        Selection::Listed(groups) => {
            let none_of = groups.iter().map(|group| format!("-m owner ! --gid-owner {group}"));
            let rule: Vec<String> = none_of.chain(["-j RETURN".to_owned()]).collect();
            nat.append(ISTIO_OUTPUT, rule.join(" "));
        }
    }
}

fn dns(nat: &mut Table, dns: &Dns) {
    let servers = match dns {
        Dns::Off => return,
        Dns::All => vec![String::new()],
        Dns::Servers(servers) if servers.is_empty() => return,
        Dns::Servers(servers) => servers.iter().map(|server| format!("-d {server} ")).collect(),
    };
    nat.append(ISTIO_OUTPUT, "-j ISTIO_OUTPUT_DNS");
    // `--to-port` is short for `--to-ports`.
    for (protocol, to_ports) in [("tcp", "--to-ports"), ("udp", "--to-port")] {
        for server in &servers {
            nat.append(
                ISTIO_OUTPUT_DNS,
                format_args!("-p {protocol} --dport 53 {server}-j REDIRECT {to_ports} {DNS_PORT}"),
            );
        }
    }
}

/// Included destinations go to the sidecar. This holds for the packets of virtual machines, too.
fn included(nat: &mut Table, ranges: &Selection<Cidr>, virtual_machines: &[String]) {
    match ranges {
        Selection::All => {
            nat.append(ISTIO_OUTPUT, "-j ISTIO_REDIRECT");
            for interface in virtual_machines {
                nat.insert(PREROUTING, 1, format_args!("-i {interface} -j ISTIO_REDIRECT"));
            }
        }
        Selection::Listed(ranges) => {
            for range in ranges {
                for interface in virtual_machines {
                    nat.insert(PREROUTING, 1, format_args!("-i {interface} -d {range} -j ISTIO_REDIRECT"));
                }
                nat.append(ISTIO_OUTPUT, format_args!("-d {range} -j ISTIO_REDIRECT"));
            }
        }
    }
}
