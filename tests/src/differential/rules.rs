// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The rules that `istio-iptables` writes, in the order in which they are evaluated. Written from its source
//! ([`capture/run.go`](https://github.com/istio/istio/blob/master/tools/istio-iptables/pkg/capture/run.go)), and not with this project's
//! own code: that is what they are compared with.

use std::net::IpAddr;

use super::config::{Config, LOOPBACK_CIDR, OWNER_GROUPS, OWNER_GROUPS_EXCLUDE, items};

/// Which family the rules are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Family {
    V4,
    V6,
}

impl Family {
    /// What is exempt from the rules as a destination, and as a source.
    fn own(self, config: &Config) -> (&str, &'static str) {
        match self {
            Self::V4 => (config.variable(LOOPBACK_CIDR).unwrap_or("127.0.0.1/32"), "127.0.0.6/32"),
            Self::V6 => ("::1/128", "::6/128"),
        }
    }

    fn holds(self, cidr: &str) -> bool {
        cidr.contains(':') == (self == Self::V6)
    }
}

/// Input for `iptables-restore`, or `ip6tables-restore`.
pub(crate) fn rules(config: &Config, family: Family) -> String {
    let chains = ["ISTIO_INBOUND", "ISTIO_REDIRECT", "ISTIO_IN_REDIRECT", "ISTIO_OUTPUT"].map(|chain| format!("-N {chain}"));
    let redirect = [('p', "ISTIO_REDIRECT"), ('z', "ISTIO_IN_REDIRECT")]
        .map(|(letter, chain)| format!("-A {chain} -p tcp -j REDIRECT --to-ports {}", config.flag(letter)));
    // A table that is named is emptied first, of what another configuration has left there.
    let mut lines = vec!["* mangle".to_owned()];
    if config.is_tproxy() {
        lines.extend(mangle(config, family));
    }
    lines.push("COMMIT".to_owned());
    lines.push("* nat".to_owned());
    lines.extend(chains);
    lines.extend(redirect);
    lines.extend(inbound(config));
    lines.push("-A OUTPUT -j ISTIO_OUTPUT".to_owned());
    lines.extend(outbound(config, family).into_iter().map(|rule| format!("-A ISTIO_OUTPUT {rule}")));
    lines.push("COMMIT\n".to_owned());
    lines.join("\n")
}

/// Table `mangle`, which is for TPROXY alone.
fn mangle(config: &Config, family: Family) -> Vec<String> {
    let (mark, (loopback, passthrough)) = (config.flag('t'), family.own(config));
    let mut lines: Vec<String> = ["-N ISTIO_INBOUND", "-N ISTIO_DIVERT", "-N ISTIO_TPROXY"].map(str::to_owned).into();
    let inbound = config.flag('b');
    lines.push(format!("-A ISTIO_DIVERT -j MARK --set-mark {mark}"));
    lines.push("-A ISTIO_DIVERT -j ACCEPT".to_owned());
    let port = config.flag('z');
    lines.push(format!("-A ISTIO_TPROXY ! -d {loopback} -p tcp -j TPROXY --tproxy-mark {mark}/0xffffffff --on-port {port}"));
    lines.push(format!("-A ISTIO_INBOUND -p tcp -m mark --mark {mark} -j RETURN"));
    lines.push(format!("-A ISTIO_INBOUND -p tcp -s {passthrough} -i lo -j RETURN"));
    lines.push("-A ISTIO_INBOUND -p tcp -i lo -m mark ! --mark 1338 -j RETURN".to_owned());
    if !inbound.is_empty() {
        lines.push("-A PREROUTING -p tcp -j ISTIO_INBOUND".to_owned());
    }
    if inbound == "*" {
        lines.extend(config.list('d').into_iter().map(|port| format!("-A ISTIO_INBOUND -p tcp --dport {port} -j RETURN")));
    }
    let captured =
        if inbound == "*" { vec![String::new()] } else { config.list('b').into_iter().map(|port| format!("--dport {port} ")).collect() };
    for ports in captured {
        lines.push(format!("-A ISTIO_INBOUND -p tcp {ports}-m conntrack --ctstate RELATED,ESTABLISHED -j ISTIO_DIVERT"));
        lines.push(format!("-A ISTIO_INBOUND -p tcp {ports}-j ISTIO_TPROXY"));
    }
    lines.push(format!("-A PREROUTING -p tcp -m mark --mark {mark} -j CONNMARK --save-mark"));
    lines.push(format!("-A OUTPUT -p tcp -o lo -m mark --mark {mark} -j RETURN"));
    for (letter, owner) in [('u', "--uid-owner"), ('g', "--gid-owner")] {
        let rule = |id| format!("-A OUTPUT ! -d {loopback} -p tcp -o lo -m owner {owner} {id} -j MARK --set-mark 1338");
        lines.extend(config.list(letter).into_iter().map(rule));
    }
    lines.push(format!("-A OUTPUT -p tcp -m connmark --mark {mark} -j CONNMARK --restore-mark"));
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

fn outbound(config: &Config, family: Family) -> Vec<String> {
    let (loopback, passthrough) = family.own(config);
    let all = config.flag('i') == "*";
    let included = if all { Vec::new() } else { config.list('i') };
    let loopback_is_included = included.iter().any(|cidr| is_loopback(cidr));

    let excluded_port = |port| ["tcp", "udp"].map(|protocol| format!("-p {protocol} --dport {port} -j RETURN"));
    let mut rules: Vec<String> = config.list('o').into_iter().flat_map(excluded_port).collect();
    rules.push(format!("-o lo -s {passthrough} -j RETURN"));
    for (letter, owner) in [('u', "--uid-owner"), ('g', "--gid-owner")] {
        for id in config.list(letter) {
            let tunnel = config.flag('e');
            rules.push(format!("-o lo ! -d {loopback} -p tcp ! --dport {tunnel} -m owner {owner} {id} -j ISTIO_IN_REDIRECT"));
            if !loopback_is_included {
                rules.push(format!("-o lo -m owner ! {owner} {id} -j RETURN"));
            }
            rules.push(format!("-m owner {owner} {id} -j RETURN"));
        }
    }
    rules.extend(owner_groups(config));
    rules.push(format!("-d {loopback} -j RETURN"));
    rules.extend(config.list('x').into_iter().filter(|cidr| family.holds(cidr)).map(|cidr| format!("-d {cidr} -j RETURN")));
    rules.extend(config.list('q').into_iter().map(|port| format!("-p tcp --dport {port} -j ISTIO_REDIRECT")));
    if all {
        rules.push("-j ISTIO_REDIRECT".to_owned());
    }
    rules.extend(included.into_iter().filter(|cidr| family.holds(cidr)).map(|cidr| format!("-d {cidr} -j ISTIO_REDIRECT")));
    rules
}

fn owner_groups(config: &Config) -> Vec<String> {
    let included = config.variable(OWNER_GROUPS).unwrap_or("*");
    if included == "*" {
        let excluded = items(config.variable(OWNER_GROUPS_EXCLUDE).unwrap_or_default());
        return excluded.into_iter().map(|group| format!("-m owner --gid-owner {group} -j RETURN")).collect();
    }
    let others: Vec<String> = items(included).into_iter().map(|group| format!("-m owner ! --gid-owner {group} ")).collect();
    vec![format!("{}-j RETURN", others.concat())]
}

fn is_loopback(cidr: &str) -> bool {
    cidr.split('/').next().and_then(|address| address.parse().ok()).is_some_and(|address: IpAddr| address.is_loopback())
}
