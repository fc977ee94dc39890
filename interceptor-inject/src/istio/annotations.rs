// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The annotations that Istio checks before it renders anything
//! ([`validate.go`](https://github.com/istio/istio/blob/master/pkg/kube/inject/validate.go)). A value that it refuses
//! is refused here.

use std::net::{Ipv4Addr, Ipv6Addr};

use interceptor_config::parse_bool;

/// The longest name of a network interface.
const LONGEST_INTERFACE: usize = 15;

type Check = fn(&str) -> Result<(), String>;

const CHECKS: &[(&str, Check)] = &[
    ("istio.io/reroute-virtual-interfaces", interfaces),
    ("prometheus.istio.io/merge-metrics", switch),
    ("readiness.status.sidecar.istio.io/failureThreshold", number),
    ("readiness.status.sidecar.istio.io/initialDelaySeconds", number),
    ("readiness.status.sidecar.istio.io/periodSeconds", number),
    ("sidecar.istio.io/interceptionMode", mode),
    ("sidecar.istio.io/proxyCPU", quantity),
    ("sidecar.istio.io/proxyCPULimit", quantity),
    ("sidecar.istio.io/proxyMemory", quantity),
    ("sidecar.istio.io/proxyMemoryLimit", quantity),
    ("status.sidecar.istio.io/port", status_port),
    ("traffic.sidecar.istio.io/excludeInboundPorts", ports),
    ("traffic.sidecar.istio.io/excludeInterfaces", interfaces),
    ("traffic.sidecar.istio.io/excludeOutboundIPRanges", ranges),
    ("traffic.sidecar.istio.io/excludeOutboundPorts", ports),
    ("traffic.sidecar.istio.io/includeInboundPorts", |value| any_or(value, ports)),
    ("traffic.sidecar.istio.io/includeOutboundIPRanges", |value| {
        any_or(value, ranges)
    }),
    ("traffic.sidecar.istio.io/kubevirtInterfaces", interfaces),
];

/// Everything that Istio would refuse, with annotation, value and reason.
pub(super) fn faults<'a>(annotations: impl Iterator<Item = (&'a str, &'a str)>) -> Vec<String> {
    let check = |(name, value): (&str, &str)| {
        let (_name, check) = CHECKS.iter().find(|(known, _check)| *known == name)?;
        let reason = check(value).err()?;
        Some(format!("invalid value '{value}' for annotation '{name}': {reason}"))
    };
    annotations.filter_map(check).collect()
}

fn mode(value: &str) -> Result<(), String> {
    let is_known = matches!(value, "REDIRECT" | "TPROXY" | "NONE");
    is_known
        .then_some(())
        .ok_or_else(|| "expected REDIRECT, TPROXY or NONE".to_owned())
}

fn status_port(value: &str) -> Result<(), String> {
    port(value.trim())
}

fn port(value: &str) -> Result<(), String> {
    value
        .parse::<u16>()
        .map(drop)
        .map_err(|_no_port| format!("{value:?} is not a port"))
}

fn number(value: &str) -> Result<(), String> {
    value
        .parse::<u32>()
        .map(drop)
        .map_err(|_no_number| "expected a whole number, not negative".to_owned())
}

fn switch(value: &str) -> Result<(), String> {
    parse_bool(value).map(drop).ok_or_else(|| "expected true or false".to_owned())
}

fn any_or(value: &str, check: Check) -> Result<(), String> {
    if value == "*" { Ok(()) } else { check(value) }
}

fn ports(value: &str) -> Result<(), String> {
    if value.trim().is_empty() {
        return Ok(());
    }
    value.split(',').try_for_each(|item| port(item.trim()))
}

fn ranges(value: &str) -> Result<(), String> {
    if value.is_empty() {
        return Ok(());
    }
    let is_range = |item: &str| {
        let (address, length) = item.split_once('/')?;
        let most = match (address.parse::<Ipv4Addr>(), address.parse::<Ipv6Addr>()) {
            (Ok(_), _) => 32,
            (_, Ok(_)) => 128,
            _ => return None,
        };
        (length.parse::<u8>().ok()? <= most).then_some(())
    };
    let wrong = value.split(',').find(|item| is_range(item).is_none());
    wrong.map_or(Ok(()), |wrong| {
        Err(format!("{wrong:?} is not a CIDR range, such as 10.0.0.0/8"))
    })
}

fn interfaces(value: &str) -> Result<(), String> {
    if value.is_empty() {
        return Ok(());
    }
    let is_name = |item: &str| !item.is_empty() && item.len() <= LONGEST_INTERFACE;
    let wrong = value.split(',').find(|item| !is_name(item.trim()));
    wrong.map_or(Ok(()), |wrong| Err(format!("{wrong:?} is not the name of a network interface")))
}

/// A quantity of Kubernetes
/// ([`quantity.go`](https://github.com/kubernetes/kubernetes/blob/master/staging/src/k8s.io/apimachinery/pkg/api/resource/quantity.go)).
fn quantity(value: &str) -> Result<(), String> {
    const SUFFIXES: [&str; 16] = ["", "n", "u", "m", "k", "M", "G", "T", "P", "E", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];
    let unsigned = value.strip_prefix(['+', '-']).unwrap_or(value);
    let end = unsigned
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(unsigned.len());
    let (number, suffix) = unsigned.split_at(end);
    let is_number = number.bytes().any(|byte| byte.is_ascii_digit()) && number.matches('.').count() <= 1;
    let is_exponent = || {
        suffix
            .strip_prefix(['e', 'E'])
            .is_some_and(|exponent| exponent.parse::<i32>().is_ok())
    };
    if is_number && (SUFFIXES.contains(&suffix) || is_exponent()) {
        return Ok(());
    }
    Err("expected a quantity, such as 500m or 128Mi".to_owned())
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    const TRAFFIC: &str = "traffic.sidecar.istio.io/";

    #[rstest]
    #[case("sidecar.istio.io/interceptionMode", &["REDIRECT", "TPROXY", "NONE"], &["redirect", ""])]
    #[case("status.sidecar.istio.io/port", &["0", " 15020 ", "65535"], &["", "65536", "-1", "*"])]
    #[case("readiness.status.sidecar.istio.io/periodSeconds", &["0", "4294967295"], &["-1", "4294967296", "x"])]
    #[case(
        &format!("{TRAFFIC}includeOutboundIPRanges"),
        &["*", "", "10.0.0.0/8,fd00::/8"],
        &["10.0.0.0/8, ::/0", "10.0.0.0", "10.0.0.0/33", "*,10.0.0.0/8"]
    )]
    #[case(&format!("{TRAFFIC}excludeOutboundIPRanges"), &["", "10.0.0.1/8"], &["*", "bad"])]
    #[case(&format!("{TRAFFIC}includeInboundPorts"), &["*", "", "80, 443"], &["80,", "http"])]
    #[case(&format!("{TRAFFIC}excludeInboundPorts"), &["", "80,443"], &["*", "70000"])]
    #[case(&format!("{TRAFFIC}includeOutboundPorts"), &["anything"], &[])]
    #[case(&format!("{TRAFFIC}excludeInterfaces"), &["", "eth0,net1"], &["eth0,", "abcdefghijklmnop"])]
    #[case("prometheus.istio.io/merge-metrics", &["true", "F"], &["yes", ""])]
    #[case("sidecar.istio.io/proxyCPU", &["4000m", "0.5", "1e3", "2"], &["", "x", "1Q", "1.2.3", "1m\n"])]
    #[case("sidecar.istio.io/proxyMemoryLimit", &["1Gi", "128Mi"], &["1GiB", "Mi"])]
    #[case("an.annotation/of-somebody", &["whatever"], &[])]
    fn values_are_refused_as_istio_refuses_them(#[case] name: &str, #[case] good: &[&str], #[case] bad: &[&str]) {
        for value in good {
            assert_eq!(faults([(name, *value)].into_iter()), [""; 0]);
        }
        for value in bad {
            let all = faults([(name, *value)].into_iter());
            assert_eq!(all.len(), 1, "{name}: {value:?}");
            assert!(
                all[0].starts_with(&format!("invalid value '{value}' for annotation '{name}': ")),
                "{all:?}"
            );
        }
    }
}
