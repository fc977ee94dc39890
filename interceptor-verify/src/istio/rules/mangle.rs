// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Table `mangle`: TPROXY, and packets that belong to no connection.

use super::{
    super::config::{Config, DROP_INVALID},
    family::Family,
    interfaces::left_alone,
};

/// Chains, then rules.
pub(super) fn mangle(config: &Config, family: Family) -> Vec<String> {
    let invalid = [
        "-N ISTIO_DROP",
        "-A PREROUTING -m conntrack --ctstate INVALID -j ISTIO_DROP",
        "-A ISTIO_DROP -j DROP",
    ];
    let invalid = invalid.map(str::to_owned).into_iter().filter(|_| config.has(DROP_INVALID));
    let tproxy = if config.is_tproxy() { tproxy(config, family) } else { Vec::new() };
    invalid.chain(tproxy).collect()
}

/// Of TPROXY mode: chains and rules.
fn tproxy(config: &Config, family: Family) -> Vec<String> {
    let (mark, (loopback, passthrough)) = (config.flag('t'), family.own(config));
    let mut lines: Vec<String> = ["-N ISTIO_INBOUND", "-N ISTIO_DIVERT", "-N ISTIO_TPROXY"]
        .map(str::to_owned)
        .into();
    lines.extend(left_alone(config));
    let inbound = config.flag('b');
    lines.push(format!("-A ISTIO_DIVERT -j MARK --set-mark {mark}"));
    lines.push("-A ISTIO_DIVERT -j ACCEPT".to_owned());
    let port = config.flag('z');
    lines.push(format!(
        "-A ISTIO_TPROXY ! -d {loopback} -p tcp -j TPROXY --tproxy-mark {mark}/0xffffffff --on-port {port}"
    ));
    lines.push(format!("-A ISTIO_INBOUND -p tcp -m mark --mark {mark} -j RETURN"));
    lines.push(format!("-A ISTIO_INBOUND -p tcp -s {passthrough} -i lo -j RETURN"));
    lines.push("-A ISTIO_INBOUND -p tcp -i lo -m mark ! --mark 1338 -j RETURN".to_owned());
    if !inbound.is_empty() {
        lines.push("-A PREROUTING -p tcp -j ISTIO_INBOUND".to_owned());
    }
    if inbound == "*" {
        lines.extend(
            config
                .list('d')
                .into_iter()
                .map(|port| format!("-A ISTIO_INBOUND -p tcp --dport {port} -j RETURN")),
        );
    }
    let captured = if inbound == "*" {
        vec![String::new()]
    } else {
        config.list('b').into_iter().map(|port| format!("--dport {port} ")).collect()
    };
    for ports in captured {
        lines.push(format!(
            "-A ISTIO_INBOUND -p tcp {ports}-m conntrack --ctstate RELATED,ESTABLISHED -j ISTIO_DIVERT"
        ));
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
