// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Table `nat`.

use std::net::IpAddr;

use super::{
    super::config::{Config, OWNER_GROUPS, OWNER_GROUPS_EXCLUDE, items},
    dns::Dns,
    family::Family,
    interfaces::left_alone,
};

/// Chains, then rules.
pub(super) fn nat(config: &Config, family: Family) -> Vec<String> {
    let mut lines: Vec<String> = ["ISTIO_INBOUND", "ISTIO_REDIRECT", "ISTIO_IN_REDIRECT", "ISTIO_OUTPUT"]
        .map(|chain| format!("-N {chain}"))
        .into();
    let dns = dns(config, family);
    if !dns.is_empty() {
        lines.push("-N ISTIO_OUTPUT_DNS".to_owned());
    }
    lines.extend(
        [('p', "ISTIO_REDIRECT"), ('z', "ISTIO_IN_REDIRECT")]
            .map(|(letter, chain)| format!("-A {chain} -p tcp -j REDIRECT --to-ports {}", config.flag(letter))),
    );
    lines.extend(left_alone(config));
    lines.extend(inbound(config));
    lines.push("-A OUTPUT -j ISTIO_OUTPUT".to_owned());
    lines.extend(
        outbound(config, family, !dns.is_empty())
            .into_iter()
            .map(|rule| format!("-A ISTIO_OUTPUT {rule}")),
    );
    lines.extend(dns.into_iter().map(|rule| format!("-A ISTIO_OUTPUT_DNS {rule}")));
    lines
}

fn inbound(config: &Config) -> Vec<String> {
    let mut lines = vec![format!("-A ISTIO_INBOUND -p tcp --dport {} -j RETURN", config.flag('e'))];
    if config.flag('b').is_empty() || config.is_tproxy() {
        return lines;
    }
    lines.push("-A PREROUTING -p tcp -j ISTIO_INBOUND".to_owned());
    let to = |port: &str, target: &str| format!("-A ISTIO_INBOUND -p tcp --dport {port} -j {target}");
    if config.flag('b') == "*" {
        lines.extend(config.list('d').into_iter().map(|port| to(port, "RETURN")));
        lines.push("-A ISTIO_INBOUND -p tcp -j ISTIO_IN_REDIRECT".to_owned());
    } else {
        lines.extend(config.list('b').into_iter().map(|port| to(port, "ISTIO_IN_REDIRECT")));
    }
    lines
}

fn outbound(config: &Config, family: Family, has_dns: bool) -> Vec<String> {
    let (loopback, passthrough) = family.own(config);
    let all = config.flag('i') == "*";
    let included = if all { Vec::new() } else { config.list('i') };
    let loopback_is_included = included.iter().any(|cidr| is_loopback(cidr));

    let excluded_port = |port| ["tcp", "udp"].map(|protocol| format!("-p {protocol} --dport {port} -j RETURN"));
    let mut rules: Vec<String> = config.list('o').into_iter().flat_map(excluded_port).collect();
    rules.push(format!("-o lo -s {passthrough} -j RETURN"));
    // On as soon as there is a server of either family.
    let dns = Dns::of(config) != Dns::Off;
    let tunnel = config.flag('e');
    let but_dns = if dns { "-p tcp ! --dport 53 " } else { "" };
    for (letter, owner) in [('u', "--uid-owner"), ('g', "--gid-owner")] {
        // Groups have no exception for DNS here.
        let ports = if dns && letter == 'u' {
            format!("-m multiport ! --dports 53,{tunnel}")
        } else {
            format!("! --dport {tunnel}")
        };
        for id in config.list(letter) {
            rules.push(format!(
                "-o lo ! -d {loopback} -p tcp {ports} -m owner {owner} {id} -j ISTIO_IN_REDIRECT"
            ));
            if !loopback_is_included {
                rules.push(format!("-o lo {but_dns}-m owner ! {owner} {id} -j RETURN"));
            }
            rules.push(format!("-m owner {owner} {id} -j RETURN"));
        }
    }
    rules.extend(owner_groups(config));
    if has_dns {
        rules.push("-j ISTIO_OUTPUT_DNS".to_owned());
    }
    rules.push(format!("-d {loopback} -j RETURN"));
    rules.extend(
        config
            .list('x')
            .into_iter()
            .filter(|cidr| family.holds(cidr))
            .map(|cidr| format!("-d {cidr} -j RETURN")),
    );
    rules.extend(
        config
            .list('q')
            .into_iter()
            .map(|port| format!("-p tcp --dport {port} -j ISTIO_REDIRECT")),
    );
    if all {
        rules.push("-j ISTIO_REDIRECT".to_owned());
    }
    rules.extend(
        included
            .into_iter()
            .filter(|cidr| family.holds(cidr))
            .map(|cidr| format!("-d {cidr} -j ISTIO_REDIRECT")),
    );
    rules
}

fn dns(config: &Config, family: Family) -> Vec<String> {
    let to = |protocol: &str, to: &str| format!("-p {protocol} --dport 53 {to}-j REDIRECT --to-ports 15053");
    match Dns::of(config) {
        Dns::Off => Vec::new(),
        Dns::All => ["tcp", "udp"].map(|protocol| to(protocol, "")).into(),
        Dns::Servers => {
            let servers = family.servers(config);
            ["tcp", "udp"]
                .iter()
                .flat_map(|protocol| servers.iter().map(|server| to(protocol, &format!("-d {server} "))))
                .collect()
        }
    }
}

fn owner_groups(config: &Config) -> Vec<String> {
    let included = config.variable(OWNER_GROUPS).unwrap_or("*");
    if included == "*" {
        let excluded = items(config.variable(OWNER_GROUPS_EXCLUDE).unwrap_or_default());
        return excluded
            .into_iter()
            .map(|group| format!("-m owner --gid-owner {group} -j RETURN"))
            .collect();
    }
    let others: Vec<String> = items(included)
        .into_iter()
        .map(|group| format!("-m owner ! --gid-owner {group} "))
        .collect();
    vec![format!("{}-j RETURN", others.concat())]
}

fn is_loopback(cidr: &str) -> bool {
    cidr.split('/')
        .next()
        .and_then(|address| address.parse().ok())
        .is_some_and(|address: IpAddr| address.is_loopback())
}
