// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What a policy takes from the facts of the pod, and what it refuses because of them.

use rstest::rstest;

use super::*;

#[test]
fn secondary_addresses_know_their_primary() {
    let pairs = [("10.1.1.6", "10.1.1.5"), ("10.1.1.7", "10.1.1.5"), ("fe80::6", "fe80::5")];
    assert_eq!(
        policy(&[], &[]).primaries,
        pairs.map(|(secondary, primary)| (address(secondary), address(primary)))
    );
}

#[test]
fn the_source_to_the_outside_is_known() {
    let policy = policy(&[], &[]).policy;
    assert_eq!((policy.pod_v4, policy.pod_v6), (address("10.1.1.5"), address("::")));
    let nowhere = compile(&wanted(INJECTED, &[]).unwrap().0, &PodFacts { source_v4: None, ..pod() })
        .unwrap()
        .policy;
    assert_eq!(nowhere.pod_v4, Address::UNSPECIFIED_V4);
}

/// Of a pod without a usable IPv4 address.
fn ipv6_only() -> PodFacts {
    let addresses = vec!["fd00::5".parse().unwrap()];
    let source_v6 = Some("fd00::5".parse().unwrap());
    PodFacts {
        interfaces: vec![InterfaceFacts { name: "eth0".to_owned(), index: 2, addresses }],
        source_v6,
        ..PodFacts::default()
    }
}

#[rstest]
#[case::to_the_outside("2001:db8::1", 80, OutboundCidrIncluded)]
#[case::excluded_range("2001:db8:bad::1", 80, OutboundCidrExcluded)]
#[case::own_address("fd00::5", 80, LocalDestination)]
#[case::loopback("::1", 80, LocalDestination)]
#[case::slots_are_local("fd69:6e74:6572:6365::8000:1", 80, LocalDestination)]
#[case::ipv4_has_rules_too("10.9.9.9", 80, OutboundCidrIncluded)]
fn ipv6_is_intercepted_where_istio_would(#[case] destination: &str, #[case] port: u16, #[case] reason: Reason) {
    let (wanted, _warnings) = wanted(&["-i", "*", "-x", "2001:db8:bad::/48", "-b", "*"], &[]).unwrap();
    let policy = compile(&wanted, &ipv6_only()).unwrap();
    let flow = Outbound {
        protocol: Tcp,
        source: address("::"),
        destination: address(destination),
        port,
        owner: Owner::classify(1000, 1000, &policy.policy, &policy),
        mark: 0,
        interface: 0,
    };
    assert_eq!(decide(&Flow::Outbound(flow), &policy.policy, &policy).reason, reason);
}

#[test]
fn an_ipv6_range_says_nothing_of_ipv4() {
    let (wanted, _warnings) = wanted(&["-x", "::/0"], &[]).unwrap();
    let policy = compile(&wanted, &ipv6_only()).unwrap();
    assert!(policy.address(address("2001:db8::1")).has(AddressClass::OUTBOUND_EXCLUDED));
    assert!(!policy.address(address("10.1.2.3")).has(AddressClass::OUTBOUND_EXCLUDED));
}

#[test]
fn more_prefixes_than_a_pod_may_have_are_refused() {
    // Apart by two, so that none is part of another.
    let ranges: Vec<_> = (0..70_000_u32)
        .map(|index| format!("{}/32", std::net::Ipv4Addr::from(0x0b00_0000 + 2 * index)))
        .collect();
    let (wanted, _warnings) = wanted(&["-x", &ranges.join(",")], &[]).unwrap();
    let error = compile(&wanted, &pod()).unwrap_err();
    assert!(
        matches!(error, ConfigError::TooManyPrefixes { what: "addresses", count, max: _ } if count > 70_000),
        "{error}"
    );
}

#[test]
fn sources_by_route_are_known_where_they_differ() {
    let sources: Vec<_> = policy(&[], &[])
        .sources
        .iter()
        .map(|prefix| (prefix.address, prefix.prefix_len - 96, prefix.source))
        .collect();
    assert_eq!(
        sources,
        [(address("0.0.0.0"), 0, address("10.1.1.5")), (address("192.168.7.0"), 24, address("192.168.7.2"))]
    );
    let alike = PodFacts {
        routes: vec![route("0.0.0.0/0", 2, "10.1.1.5"), route("10.1.1.0/24", 2, "10.1.1.5")],
        ..pod()
    };
    assert_eq!(compile(&wanted(INJECTED, &[]).unwrap().0, &alike).unwrap().sources, []);
}
