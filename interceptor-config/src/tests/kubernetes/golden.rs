// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The pods of Istio's dry-run tests
//! ([`plugin_dryrun_test.go`](https://github.com/istio/istio/blob/master/cni/pkg/plugin/plugin_dryrun_test.go)), each
//! with the flags that make the rules Istio expects for it, and with the rules that tell it from the others.

use rstest::rstest;

use super::*;
use crate::{render::iptables, tests::read};

const INCLUDED_RANGES: &str = "traffic.sidecar.istio.io/includeOutboundIPRanges";
const EXCLUDED_RANGES: &str = "traffic.sidecar.istio.io/excludeOutboundIPRanges";
const INCLUDED_INBOUND: &str = "traffic.sidecar.istio.io/includeInboundPorts";
const EXCLUDED_INBOUND: &str = "traffic.sidecar.istio.io/excludeInboundPorts";
const EXCLUDED_OUTBOUND: &str = "traffic.sidecar.istio.io/excludeOutboundPorts";

/// Of every pod, unless its own flags say otherwise.
const COMMON: &[&str] = &["-i", "*", "-b", "*", "-d", "15020,15021,15090", "-o", "15020", "-u", "1337", "-g", "1337"];

const BASIC_RULES: &[&str] = &[
    "-A ISTIO_INBOUND -p tcp --dport 15008 -j RETURN",
    "-A ISTIO_REDIRECT -p tcp -j REDIRECT --to-ports 15001",
    "-A ISTIO_IN_REDIRECT -p tcp -j REDIRECT --to-ports 15006",
    "-A ISTIO_INBOUND -p tcp --dport 15020 -j RETURN",
    "-A ISTIO_INBOUND -p tcp --dport 15021 -j RETURN",
    "-A ISTIO_INBOUND -p tcp --dport 15090 -j RETURN",
    "-A ISTIO_OUTPUT -p tcp --dport 15020 -j RETURN",
    "-A ISTIO_OUTPUT -m owner --uid-owner 1337 -j RETURN",
    "-A ISTIO_OUTPUT -m owner --gid-owner 1337 -j RETURN",
    "-A ISTIO_OUTPUT -j ISTIO_REDIRECT",
];
const TPROXY_RULE: &str =
    "-A ISTIO_TPROXY ! -d 127.0.0.1/32 -p tcp -j TPROXY --tproxy-mark 1337/0xffffffff --on-port 15006";

#[rstest]
#[case::basic(&[], json!({}), &[], BASIC_RULES)]
#[case::include_exclude_ip(
    &[(INCLUDED_RANGES, "127.0.0.0/8"), (EXCLUDED_RANGES, "10.0.0.0/8")],
    json!({}),
    &["-i", "127.0.0.0/8", "-x", "10.0.0.0/8"],
    &["-A ISTIO_OUTPUT -d 10.0.0.0/8 -j RETURN", "-A ISTIO_OUTPUT -d 127.0.0.0/8 -j ISTIO_REDIRECT"],
)]
#[case::include_exclude_ports(
    &[(INCLUDED_INBOUND, "1111,2222"), (EXCLUDED_INBOUND, "3333,4444"), (EXCLUDED_OUTBOUND, "5555,6666")],
    json!({}),
    &["-b", "1111,2222", "-d", "3333,4444,15020,15021,15090", "-o", "5555,6666"],
    &[
        "-A ISTIO_INBOUND -p tcp --dport 1111 -j ISTIO_IN_REDIRECT",
        "-A ISTIO_INBOUND -p tcp --dport 2222 -j ISTIO_IN_REDIRECT",
        "-A ISTIO_OUTPUT -p tcp --dport 5555 -j RETURN",
        "-A ISTIO_OUTPUT -p tcp --dport 6666 -j RETURN",
    ],
)]
#[case::tproxy(&[(MODE, "TPROXY")], json!({}), &["-m", "TPROXY"], &[TPROXY_RULE])]
#[case::dns(
    &[],
    json!({"env": [{"name": "ISTIO_META_DNS_CAPTURE", "value": "true"}]}),
    &["--redirect-dns", "--capture-all-dns"],
    &[
        "-A ISTIO_OUTPUT_DNS -p tcp --dport 53 -j REDIRECT --to-ports 15053",
        "-A ISTIO_OUTPUT_DNS -p udp --dport 53 -j REDIRECT --to-port 15053",
        "-A ISTIO_INBOUND -p udp --sport 53 -j CT --zone 1",
    ],
)]
#[case::invalid_drop(
    &[],
    json!({"env": [{"name": "INVALID_DROP", "value": "true"}]}),
    &["--drop-invalid"],
    &["-A PREROUTING -m conntrack --ctstate INVALID -j ISTIO_DROP", "-A ISTIO_DROP -j DROP"],
)]
#[case::custom_uid(
    &[],
    json!({"securityContext": {"runAsUser": 1_000_670_000, "runAsGroup": 1_000_670_001}}),
    &["-u", "1000670000", "-g", "1000670001"],
    &[
        "-A ISTIO_OUTPUT -m owner --uid-owner 1000670000 -j RETURN",
        "-A ISTIO_OUTPUT -m owner --gid-owner 1000670001 -j RETURN",
    ],
)]
#[case::custom_uid_zero(&[], json!({"securityContext": {"runAsUser": 0}}), &[], BASIC_RULES)]
#[case::custom_uid_tproxy(
    &[(MODE, "TPROXY")],
    json!({"securityContext": {"runAsUser": 1_000_670_000, "runAsGroup": 1_000_670_001}}),
    &["-m", "TPROXY", "-u", "1000670000", "-g", "1000670001"],
    &[
        TPROXY_RULE,
        "-A OUTPUT ! -d 127.0.0.1/32 -p tcp -o lo -m owner --uid-owner 1000670000 -j MARK --set-mark 1338",
        "-A OUTPUT ! -d 127.0.0.1/32 -p tcp -o lo -m owner --gid-owner 1000670001 -j MARK --set-mark 1338",
    ],
)]
fn a_pod_of_istios_dry_run_tests_is_intercepted_as_by_its_flags(
    #[case] annotations: &[(&str, &str)],
    #[case] of_sidecar: Value,
    #[case] flags: &[&str],
    #[case] rules: &[&str],
) {
    let mut pod = annotated(annotations);
    for (field, value) in of_sidecar.as_object().unwrap() {
        sidecar(&mut pod)[field] = value.clone();
    }
    let (wanted, warnings) = intercepted(&pod);
    assert_eq!(wanted.config(), &read(&[COMMON, flags].concat(), &[], "").unwrap().0);
    assert_eq!(warnings, [""; 0]);
    let rendered = iptables(wanted.config(), false).v4;
    for rule in rules {
        assert!(rendered.lines().any(|line| line == *rule), "no {rule} in\n{rendered}");
    }
}
