// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Who goes where, under the configurations in use. The rows are those that istio-iptables' rules were measured with.

use interceptor_policy::{Action, AddressClass, Owner, Protocol, Protocol::*, Reason, Reason::*, Tables as _};
use rstest::rstest;

use super::*;

#[rstest]
#[case::app_to_another_pod(APP, Tcp, "10.2.0.9:8080", OutboundCidrIncluded)]
#[case::app_to_a_service_whose_endpoint_is_itself(APP, Tcp, "10.96.0.10:80", OutboundCidrIncluded)]
#[case::app_to_the_outside(APP, Tcp, "198.51.100.1:443", OutboundCidrIncluded)]
#[case::app_to_the_outside_port_22(APP, Tcp, "198.51.100.1:22", OutboundCidrIncluded)]
#[case::app_to_the_outside_tunnel_port(APP, Tcp, "198.51.100.1:15008", OutboundCidrIncluded)]
#[case::app_to_the_outside_tcp_dns(APP, Tcp, "198.51.100.1:53", OutboundCidrIncluded)]
#[case::app_to_a_proxy_port_elsewhere(APP, Tcp, "10.2.0.9:15001", OutboundCidrIncluded)]
#[case::app_to_its_pod(APP, Tcp, "10.1.1.5:8080", LocalDestination)]
#[case::app_to_its_secondary_address(APP, Tcp, "10.1.1.6:8080", LocalDestination)]
#[case::app_to_its_second_interface(APP, Tcp, "192.168.7.2:8080", LocalDestination)]
#[case::app_to_loopback(APP, Tcp, "127.0.0.1:8080", LocalDestination)]
#[case::app_to_another_loopback(APP, Tcp, "127.0.0.2:8080", LocalDestination)]
#[case::app_to_the_unspecified_address(APP, Tcp, "0.0.0.0:8080", LocalDestination)]
#[case::app_to_loopback_v6(APP, Tcp, "::1:8080", FamilyNotIntercepted)]
#[case::app_to_the_outside_v6(APP, Tcp, "2001:db8::1:443", FamilyNotIntercepted)]
#[case::app_to_the_outside_v4_mapped(APP, Tcp, "::ffff:198.51.100.1:443", OutboundCidrIncluded)]
#[case::app_to_the_outbound_port_of_its_own_sidecar(APP, Tcp, "127.0.0.1:15001", LocalDestination)]
#[case::proxy_to_the_outside(PROXY, Tcp, "198.51.100.1:443", ProxyOwner)]
#[case::proxy_by_group_to_the_outside(PROXY_BY_GROUP, Tcp, "198.51.100.1:443", ProxyOwner)]
#[case::proxy_to_loopback(PROXY, Tcp, "127.0.0.1:8080", ProxyOwner)]
#[case::proxy_to_another_loopback(PROXY, Tcp, "127.0.0.2:8080", ProxyToOwnPod)]
#[case::proxy_to_its_pod(PROXY, Tcp, "10.1.1.5:8080", ProxyToOwnPod)]
#[case::proxy_to_its_pod_on_an_excluded_inbound_port(PROXY, Tcp, "10.1.1.5:15090", ProxyToOwnPod)]
#[case::proxy_to_its_second_interface(PROXY, Tcp, "192.168.7.2:8080", ProxyToOwnPod)]
#[case::proxy_to_the_tunnel_port_of_its_pod(PROXY, Tcp, "10.1.1.5:15008", ProxyOwner)]
#[case::proxy_by_group_to_its_pod(PROXY_BY_GROUP, Tcp, "10.1.1.5:8080", LocalDestination)]
#[case::app_udp(APP, Udp, "198.51.100.1:9000", NotTcp)]
#[case::app_udp_dns(APP, Udp, "198.51.100.1:53", NotTcp)]
#[case::app_sctp(APP, Other, "198.51.100.1:9000", NotTcp)]
#[case::app_udp_to_its_pod(APP, Udp, "10.1.1.5:9000", LocalDestination)]
#[case::proxy_udp_to_its_pod(PROXY, Udp, "10.1.1.5:9000", ProxyOwner)]
fn as_injected(#[case] by: By, #[case] protocol: Protocol, #[case] destination: &str, #[case] reason: Reason) {
    assert_eq!(outbound(&policy(&[], &[]), by, protocol, destination), reason);
}

#[rstest]
#[case::passthrough_to_its_pod(PROXY, "127.0.0.6", "10.1.1.5:8080", PassthroughSource)]
#[case::passthrough_to_loopback(PROXY, "127.0.0.6", "127.0.0.1:8080", PassthroughSource)]
#[case::passthrough_by_anyone(APP, "127.0.0.6", "10.1.1.5:8080", PassthroughSource)]
#[case::passthrough_to_the_outside_counts_only_for_the_owner(APP, "127.0.0.6", "198.51.100.1:80", OutboundCidrIncluded)]
#[case::proxy_bound_to_loopback(PROXY, "127.0.0.1", "10.1.1.5:8080", ProxyToOwnPod)]
#[case::proxy_bound_to_its_pod(PROXY, "10.1.1.5", "10.1.1.5:8080", ProxyToOwnPod)]
#[case::validation_probe(PROXY, "127.0.0.1", "127.0.0.6:15002", ProxyToOwnPod)]
fn bound_sockets(#[case] by: By, #[case] source: &str, #[case] destination: &str, #[case] reason: Reason) {
    assert_eq!(outbound_from(&policy(&[], &[]), by, Tcp, source, destination), reason);
}

#[rstest]
#[case::any_port(8080, InboundPortIncluded)]
#[case::ssh(22, InboundPortIncluded)]
#[case::outbound_port_of_the_sidecar(15001, InboundPortIncluded)]
#[case::inbound_port_of_the_sidecar(15006, InboundPortIncluded)]
#[case::tunnel(15008, InboundTunnelPort)]
#[case::metrics(15090, InboundPortExcluded)]
#[case::health(15021, InboundPortExcluded)]
#[case::merged_metrics(15020, InboundPortExcluded)]
fn inbound_as_injected(#[case] port: u16, #[case] reason: Reason) {
    assert_eq!(inbound(&policy(&[], &[]), Tcp, port), reason);
}

#[rstest]
#[case::udp(Udp)]
#[case::icmp(Other)]
fn inbound_is_intercepted_on_tcp_only(#[case] protocol: Protocol) {
    assert_eq!(inbound(&policy(&[], &[]), protocol, 8080), NotTcp);
}

#[test]
fn a_connection_from_inside_the_pod_is_not_inbound() {
    let policy = policy(&[], &[]);
    for source in ["10.1.1.5", "10.1.1.6", "192.168.7.2", "127.0.0.6"] {
        let flow = Inbound {
            protocol: Tcp,
            source: address(source),
            destination: address("10.1.1.5"),
            port: 8080,
            interface: 0,
        };
        assert_eq!(
            decide(&Flow::Inbound(flow), &policy.policy, &policy).reason,
            FromInsidePod,
            "{source}"
        );
    }
}

#[test]
fn a_service_that_ends_at_its_caller_passes_both_sides_of_the_sidecar() {
    let policy = policy(&[], &[]);
    assert_eq!(
        outbound(&policy, APP, Tcp, "10.96.0.10:80").action(),
        Some(Action::RedirectOutbound)
    );
    assert_eq!(
        outbound(&policy, PROXY, Tcp, "10.1.1.5:8080").action(),
        Some(Action::RedirectInbound)
    );
    assert_eq!(
        outbound_from(&policy, PROXY, Tcp, "127.0.0.6", "10.1.1.5:8080").action(),
        Some(Action::Pass)
    );
}

#[rstest]
#[case::tcp(APP, Tcp, "198.51.100.1:3306", OutboundPortExcluded)]
#[case::udp(APP, Udp, "198.51.100.1:3306", OutboundPortExcluded)]
#[case::not_a_protocol_with_ports(APP, Other, "198.51.100.1:3306", NotTcp)]
#[case::of_a_range(APP, Tcp, "198.51.100.1:8010", OutboundPortExcluded)]
#[case::past_a_range(APP, Tcp, "198.51.100.1:8011", OutboundCidrIncluded)]
#[case::by_name(APP, Tcp, "198.51.100.1:443", OutboundPortExcluded)]
#[case::before_the_loopback_rules_for_the_proxy(PROXY, Tcp, "10.1.1.5:3306", OutboundPortExcluded)]
#[case::before_the_loopback_rules_for_the_app(APP, Tcp, "127.0.0.1:3306", OutboundPortExcluded)]
#[case::another_port(APP, Tcp, "198.51.100.1:3307", OutboundCidrIncluded)]
fn outbound_ports_excluded(
    #[case] by: By,
    #[case] protocol: Protocol,
    #[case] destination: &str,
    #[case] reason: Reason,
) {
    assert_eq!(
        outbound(&policy(&["-o", "3306,8000:8010,https"], &[]), by, protocol, destination),
        reason
    );
}

#[rstest]
#[case::in_an_excluded_range("10.96.0.10:80", OutboundCidrExcluded)]
#[case::in_an_excluded_range_on_an_included_port("10.96.0.10:9000", OutboundCidrExcluded)]
#[case::in_an_included_range_inside_an_excluded_one("10.96.7.1:80", OutboundCidrExcluded)]
#[case::in_an_included_range("172.16.3.4:80", OutboundCidrIncluded)]
#[case::on_an_included_port("198.51.100.1:9000", OutboundPortIncluded)]
#[case::on_an_included_port_to_loopback("127.0.0.1:9000", LocalDestination)]
#[case::on_an_included_port_to_its_pod("10.1.1.5:9000", LocalDestination)]
#[case::neither("198.51.100.1:80", OutboundNotIncluded)]
fn excluded_ranges_beat_included_ports_and_ranges(#[case] destination: &str, #[case] reason: Reason) {
    let policy = policy(&["-i", "172.16.0.0/12,10.96.7.0/24", "-x", "10.96.1.2/16", "-q", "9000"], &[]);
    assert_eq!(outbound(&policy, APP, Tcp, destination), reason);
}

#[test]
fn an_included_port_beats_everything_that_is_included() {
    assert_eq!(
        outbound(&policy(&["-q", "9000"], &[]), APP, Tcp, "198.51.100.1:9000"),
        OutboundPortIncluded
    );
    assert_eq!(outbound(&policy(&["-q", "9000"], &[]), APP, Udp, "198.51.100.1:9000"), NotTcp);
    let with_loopback = policy(&["-i", "127.0.0.0/8", "-q", "9000"], &[]);
    assert_eq!(outbound(&with_loopback, APP, Tcp, "127.0.0.1:9000"), LoopbackDestination);
    assert_eq!(outbound(&with_loopback, APP, Tcp, "10.1.1.5:9000"), OutboundPortIncluded);
}

#[test]
fn nothing_is_included_by_default() {
    assert_eq!(
        outbound(&policy(&["-i", ""], &[]), APP, Tcp, "198.51.100.1:80"),
        OutboundNotIncluded
    );
}

#[rstest]
#[case::app_to_its_pod("127.0.0.0/8", APP, "10.1.1.5:80", OutboundNotIncluded)]
#[case::app_to_its_included_pod("127.0.0.0/8,10.0.0.0/8", APP, "10.1.1.5:80", OutboundCidrIncluded)]
#[case::app_to_another_loopback("127.0.0.0/8", APP, "127.0.0.2:80", OutboundCidrIncluded)]
#[case::app_to_loopback("127.0.0.0/8", APP, "127.0.0.1:80", LoopbackDestination)]
#[case::proxy_to_its_pod("127.0.0.0/8", PROXY, "10.1.1.5:80", ProxyToOwnPod)]
#[case::proxy_by_group_to_its_pod("127.0.0.0/8", PROXY_BY_GROUP, "10.1.1.5:80", ProxyToOwnPod)]
#[case::loopback_of_the_other_family("::1/128,10.0.0.0/8", APP, "10.1.1.5:80", OutboundCidrIncluded)]
#[case::loopback_address_of_a_wide_range("127.0.0.1/0", APP, "10.1.1.5:80", OutboundCidrIncluded)]
#[case::a_range_around_loopback_is_none("0.0.0.0/0", APP, "10.1.1.5:80", LocalDestination)]
#[case::a_v6_range_says_nothing_of_v4("::/0", APP, "198.51.100.1:80", OutboundNotIncluded)]
fn an_included_loopback_range_lifts_the_rule_for_local_destinations(
    #[case] included: &str,
    #[case] by: By,
    #[case] destination: &str,
    #[case] reason: Reason,
) {
    assert_eq!(outbound(&policy(&["-i", included], &[]), by, Tcp, destination), reason);
}

#[rstest]
#[case::listed("80,8443", 8443, InboundPortIncluded)]
#[case::of_a_range("8000:8010", 8005, InboundPortIncluded)]
#[case::of_a_range_without_end("8000:", 65535, InboundPortIncluded)]
#[case::by_name("http", 80, InboundPortIncluded)]
#[case::not_listed("80,8443", 8080, InboundPortNotIncluded)]
#[case::excluded_and_listed("15090", 15090, InboundPortIncluded)]
#[case::tunnel_listed("15008", 15008, InboundTunnelPort)]
#[case::no_list("", 80, InboundDisabled)]
#[case::a_list_of_nothing(",", 80, InboundDisabled)]
fn inbound_ports(#[case] list: &str, #[case] port: u16, #[case] reason: Reason) {
    let policy = policy(&["-b", list], &[]);
    assert_eq!(inbound(&policy, Tcp, port), reason);
    assert_eq!(outbound(&policy, PROXY, Tcp, "10.1.1.5:8080"), ProxyToOwnPod);
}

#[rstest]
#[case::everyone("*", "", 1000, OutboundCidrIncluded)]
#[case::excluded_by_id("*", "888,ftp", 888, OwnerGroup)]
#[case::excluded_by_name("*", "888,ftp", 301, OwnerGroup)]
#[case::not_excluded("*", "888,ftp", 300, OutboundCidrIncluded)]
#[case::included_by_name("java,202", "", 300, OutboundCidrIncluded)]
#[case::included_by_id("java,202", "", 202, OutboundCidrIncluded)]
#[case::included_by_range("200-300", "", 250, OutboundCidrIncluded)]
#[case::not_included("java,202", "", 1000, OwnerGroup)]
#[case::included_and_excluded("java", "java", 300, OutboundCidrIncluded)]
#[case::nobody("", "", 1000, OwnerGroup)]
fn owner_groups(#[case] included: &str, #[case] excluded: &str, #[case] group: u32, #[case] reason: Reason) {
    let variables = [("ISTIO_OUTBOUND_OWNER_GROUPS", included), ("ISTIO_OUTBOUND_OWNER_GROUPS_EXCLUDE", excluded)];
    let policy = policy(&[], &variables);
    assert_eq!(outbound(&policy, By { user: 1000, group }, Tcp, "198.51.100.1:80"), reason);
    assert_eq!(
        outbound(&policy, PROXY, Tcp, "10.1.1.5:8080"),
        ProxyToOwnPod,
        "the proxy's rules come first"
    );
    assert_eq!(
        inbound(&policy, Tcp, 8080),
        InboundPortIncluded,
        "inbound connections have no owner"
    );
}

#[rstest]
#[case::another_loopback("0.0.0.0", "127.0.0.2:80")]
#[case::validation_probe("127.0.0.1", "127.0.0.6:15002")]
fn a_wide_loopback_range_exempts_the_proxy(#[case] source: &str, #[case] destination: &str) {
    let policy = policy(&[], &[("ISTIO_OUTBOUND_IPV4_LOOPBACK_CIDR", "127.0.0.1/8")]);
    assert_eq!(outbound_from(&policy, PROXY, Tcp, source, destination), ProxyOwner);
    assert_eq!(outbound(&policy, PROXY, Tcp, "10.1.1.5:80"), ProxyToOwnPod);
}

#[rstest]
#[case::first_to_its_pod("1337,1338", 1337, "10.1.1.5:80", ProxyToOwnPod)]
#[case::second_to_its_pod("1337,1338", 1338, "10.1.1.5:80", LocalDestination)]
#[case::second_to_the_outside("1337,1338", 1338, "198.51.100.1:80", ProxyOwner)]
#[case::neither("1337,1338", 1339, "198.51.100.1:80", OutboundCidrIncluded)]
#[case::first_is_a_range("1000-2000,5000", 1500, "10.1.1.5:80", ProxyToOwnPod)]
#[case::first_inside_a_later_range("1500,1000-2000", 1500, "10.1.1.5:80", ProxyToOwnPod)]
#[case::only_in_a_later_range("1500,1000-2000", 1501, "10.1.1.5:80", LocalDestination)]
#[case::by_name("root", 0, "10.1.1.5:80", ProxyToOwnPod)]
fn only_the_first_proxy_user_reaches_its_own_inbound_side(
    #[case] users: &str,
    #[case] user: u32,
    #[case] destination: &str,
    #[case] reason: Reason,
) {
    // A group of its own, so that `-u` alone decides.
    assert_eq!(
        outbound(
            &policy(&["-u", users, "-g", "77"], &[]),
            By { user, group: 1 },
            Tcp,
            destination
        ),
        reason
    );
}

#[test]
fn a_group_of_its_own_replaces_the_users_number() {
    let policy = policy(&["-g", "java"], &[]);
    assert_eq!(
        outbound(&policy, By { user: 0, group: 300 }, Tcp, "198.51.100.1:80"),
        ProxyOwner
    );
    assert_eq!(outbound(&policy, PROXY_BY_GROUP, Tcp, "198.51.100.1:80"), OutboundCidrIncluded);
}

#[test]
fn other_ports_of_the_sidecar_are_taken_over() {
    let policy = policy(&["-p", "16001", "-z", "16006", "-e", "16008"], &[]);
    assert_eq!((policy.policy.outbound_port, policy.policy.inbound_port), (16001, 16006));
    assert_eq!(inbound(&policy, Tcp, 16008), InboundTunnelPort);
    assert_eq!(inbound(&policy, Tcp, 15008), InboundPortIncluded);
}

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

/// The pod's `resolv.conf` lists 10.96.0.10.
#[rstest]
#[case::listed_server(APP, Udp, "10.96.0.10:53", DnsCaptured)]
#[case::listed_server_by_tcp(APP, Tcp, "10.96.0.10:53", DnsCaptured)]
#[case::another_port_of_it(APP, Tcp, "10.96.0.10:853", OutboundCidrIncluded)]
#[case::unlisted_server(APP, Udp, "8.8.8.8:53", NotTcp)]
#[case::unlisted_server_by_tcp(APP, Tcp, "8.8.8.8:53", OutboundCidrIncluded)]
#[case::own_address_by_tcp(APP, Tcp, "10.1.1.5:53", OutboundCidrIncluded)]
#[case::loopback_by_tcp(APP, Tcp, "127.0.0.1:53", LoopbackDestination)]
#[case::own_address_by_udp(APP, Udp, "10.1.1.5:53", NotTcp)]
#[case::own_address_another_port(APP, Tcp, "10.1.1.5:8080", LocalDestination)]
#[case::proxy_to_a_listed_server(PROXY, Udp, "10.96.0.10:53", ProxyOwner)]
#[case::proxy_to_its_pod_by_tcp(PROXY, Tcp, "10.1.1.5:53", ProxyOwner)]
#[case::proxy_by_group_to_its_pod_by_tcp(PROXY_BY_GROUP, Tcp, "10.1.1.5:53", ProxyToOwnPod)]
#[case::proxy_to_its_pod_elsewhere(PROXY, Tcp, "10.1.1.5:8080", ProxyToOwnPod)]
fn dns_of_listed_servers(
    #[case] by: By,
    #[case] protocol: Protocol,
    #[case] destination: &str,
    #[case] reason: Reason,
) {
    assert_eq!(outbound(&policy(&["--redirect-dns"], &[]), by, protocol, destination), reason);
}

#[rstest]
#[case::any_server("8.8.8.8:53", Udp)]
#[case::loopback("127.0.0.1:53", Udp)]
#[case::loopback_by_tcp("127.0.0.1:53", Tcp)]
#[case::own_address("10.1.1.5:53", Udp)]
#[case::own_address_by_tcp("10.1.1.5:53", Tcp)]
fn all_dns(#[case] destination: &str, #[case] protocol: Protocol) {
    let policy = policy(&["--redirect-dns", "--capture-all-dns"], &[]);
    assert_eq!(outbound(&policy, APP, protocol, destination), DnsCaptured);
    assert_eq!(outbound(&policy, PROXY, Udp, destination), ProxyOwner);
}

#[rstest]
#[case::excluded_port(&["-o", "53"], OutboundPortExcluded)]
#[case::excluded_range(&["-x", "10.96.0.0/12"], DnsCaptured)]
#[case::nothing_included(&["-i", ""], DnsCaptured)]
fn only_the_port_exempts_dns(#[case] args: &[&str], #[case] reason: Reason) {
    assert_eq!(
        outbound(&policy(&[&["--redirect-dns"], args].concat(), &[]), APP, Udp, "10.96.0.10:53"),
        reason
    );
}

/// As Istio runs it under TPROXY: user 0, the sidecar's group.
#[rstest]
#[case::app_to_the_outside(APP, "198.51.100.1:443", 0, OutboundCidrIncluded)]
#[case::app_to_its_pod(APP, "10.1.1.5:8080", 0, LocalDestination)]
#[case::sidecar_to_the_outside(PROXY_BY_GROUP, "198.51.100.1:443", 0, ProxyOwner)]
#[case::sidecar_to_its_pod(PROXY_BY_GROUP, "10.1.1.5:8080", 0, ProxyToOwnPodTransparently)]
#[case::sidecar_to_the_tunnel_port(PROXY_BY_GROUP, "10.1.1.5:15008", 0, ProxyToOwnPodTransparently)]
#[case::sidecar_to_a_port_excluded_inbound(PROXY_BY_GROUP, "10.1.1.5:15090", 0, LocalDestination)]
#[case::sidecar_to_loopback(PROXY_BY_GROUP, "127.0.0.1:8080", 0, LocalDestination)]
#[case::sidecar_to_another_loopback(PROXY_BY_GROUP, "127.0.0.2:8080", 0, ProxyToOwnPodTransparently)]
#[case::sidecar_in_a_clients_name(PROXY_BY_GROUP, "10.1.1.5:8080", 1337, LocalDestination)]
#[case::marked_otherwise(PROXY_BY_GROUP, "10.1.1.5:8080", 1336, ProxyToOwnPodTransparently)]
#[case::marked_stays_in_the_pod(APP, "198.51.100.1:443", 1337, LocalDestination)]
#[case::sidecar_by_user_to_its_pod(PROXY, "10.1.1.5:8080", 0, ProxyToOwnPod)]
#[case::sidecar_by_user_to_the_tunnel_port(PROXY, "10.1.1.5:15008", 0, ProxyToOwnPodTransparently)]
#[case::excluded_outbound(PROXY_BY_GROUP, "10.1.1.5:3306", 0, ProxyToOwnPodTransparently)]
#[case::excluded_outbound_by_user(PROXY, "10.1.1.5:3306", 0, ProxyToOwnPodTransparently)]
fn tproxy(#[case] by: By, #[case] destination: &str, #[case] mark: u32, #[case] reason: Reason) {
    let policy = policy(&["-m", "TPROXY", "-o", "3306"], &[]);
    assert_eq!(outbound_marked(&policy, by, Tcp, "0.0.0.0", destination, mark), reason);
}

#[test]
fn under_tproxy_udp_and_the_passthrough_source_stay_as_they_are() {
    let policy = policy(&["-m", "TPROXY"], &[]);
    assert_eq!(outbound(&policy, PROXY_BY_GROUP, Udp, "10.1.1.5:8080"), LocalDestination);
    assert_eq!(
        outbound_from(&policy, PROXY_BY_GROUP, Tcp, "127.0.0.6", "10.1.1.5:8080"),
        PassthroughSource
    );
}

#[rstest]
#[case::any_port(8080, 2, InboundPortIncluded)]
#[case::tunnel_is_no_exception(15008, 2, InboundPortIncluded)]
#[case::excluded(15090, 2, InboundPortExcluded)]
#[case::in_a_clients_name(8080, interceptor_policy::LOOPBACK_INTERFACE, FromInsidePod)]
fn inbound_under_tproxy(#[case] port: u16, #[case] interface: u32, #[case] reason: Reason) {
    let policy = policy(&["-m", "TPROXY"], &[]);
    let flow = Inbound {
        protocol: Tcp,
        source: address("10.2.0.9"),
        destination: address("10.1.1.5"),
        port,
        interface,
    };
    assert_eq!(decide(&Flow::Inbound(flow), &policy.policy, &policy).reason, reason);
}

#[test]
fn a_mark_means_nothing_under_redirect() {
    assert_eq!(
        outbound_marked(&policy(&[], &[]), APP, Tcp, "0.0.0.0", "198.51.100.1:443", 1337),
        OutboundCidrIncluded
    );
}

#[rstest]
#[case::through_it(&["-c", "eth1"], "192.168.7.9:80", InterfaceExcluded)]
#[case::through_another(&["-c", "eth1"], "10.1.1.9:80", OutboundCidrIncluded)]
#[case::by_the_default_route(&["-c", "eth0"], "198.51.100.1:80", InterfaceExcluded)]
#[case::by_a_longer_route(&["-c", "eth0"], "192.168.7.9:80", OutboundCidrIncluded)]
#[case::to_its_own_address(&["-c", "eth1"], "192.168.7.2:80", LocalDestination)]
#[case::wildcard(&["-c", "eth+"], "198.51.100.1:80", InterfaceExcluded)]
#[case::wildcard_of_nothing(&["-c", "veth+"], "198.51.100.1:80", OutboundCidrIncluded)]
#[case::a_plus_alone_is_all(&["-c", "+"], "127.0.0.1:80", InterfaceExcluded)]
#[case::part_of_a_name(&["-c", "eth"], "198.51.100.1:80", OutboundCidrIncluded)]
#[case::loopback(&["-c", "lo"], "10.1.1.5:80", InterfaceExcluded)]
#[case::loopback_only(&["-c", "lo"], "198.51.100.1:80", OutboundCidrIncluded)]
#[case::one_of_several(&["-c", "eth9,eth1"], "192.168.7.9:80", InterfaceExcluded)]
#[case::before_other_ranges(&["-c", "eth1", "-i", "192.168.7.0/24"], "192.168.7.9:80", InterfaceExcluded)]
#[case::no_route_inside_an_excluded_range(&["-c", "eth1", "-x", "192.168.0.0/16"], "192.168.8.9:80", OutboundCidrExcluded)]
fn excluded_interfaces(#[case] args: &[&str], #[case] destination: &str, #[case] reason: Reason) {
    assert_eq!(outbound(&policy(args, &[]), APP, Tcp, destination), reason);
}

#[rstest]
#[case::to_an_excluded_one(3, "198.51.100.1", InterfaceExcluded)]
#[case::to_another(2, "192.168.7.9", BoundToInterface)]
#[case::to_an_own_address(3, "10.1.1.5", LocalDestination)]
fn a_socket_bound_to_an_interface_leaves_by_that(
    #[case] interface: u32,
    #[case] destination: &str,
    #[case] reason: Reason,
) {
    assert_eq!(outbound_by(&policy(&["-c", "eth1"], &[]), APP, interface, destination), reason);
}

#[rstest]
#[case::by_the_way_to_its_destination(APP, 2, "198.51.100.1", BoundToInterface)]
#[case::by_another(APP, 3, "198.51.100.1", BoundToInterface)]
#[case::by_lo(APP, 1, "198.51.100.1", BoundToInterface)]
#[case::proxy_to_its_pod(PROXY, 2, "10.1.1.5", BoundToInterface)]
#[case::loopback_by_lo(PROXY, 1, "127.0.0.2", ProxyToOwnPod)]
#[case::what_passes(APP, 2, "10.1.1.5", LocalDestination)]
#[case::what_passes_to_the_outside(PROXY, 3, "198.51.100.1", ProxyOwner)]
fn by_an_interface_no_sidecar_is_reached(
    #[case] by: By,
    #[case] interface: u32,
    #[case] destination: &str,
    #[case] reason: Reason,
) {
    assert_eq!(outbound_by(&policy(&[], &[]), by, interface, destination), reason);
}

/// From a socket that is bound to an interface (`SO_BINDTODEVICE`).
fn outbound_by(policy: &CompiledPolicy, by: By, interface: u32, destination: &str) -> Reason {
    let owner = Owner::classify(by.user, by.group, &policy.policy, policy);
    let (source, destination) = (Address::UNSPECIFIED_V4, address(destination));
    let flow = Outbound { protocol: Tcp, source, destination, port: 80, owner, mark: 0, interface };
    decide(&Flow::Outbound(flow), &policy.policy, policy).reason
}

#[rstest]
#[case::on_it("10.2.0.9", 3, InterfaceExcluded)]
#[case::on_another("192.168.7.9", 2, InboundPortIncluded)]
#[case::on_an_unknown_one_from_behind_it("192.168.7.9", 0, InterfaceExcluded)]
#[case::on_an_unknown_one_from_elsewhere("10.2.0.9", 0, InboundPortIncluded)]
fn inbound_on_an_excluded_interface(#[case] source: &str, #[case] interface: u32, #[case] reason: Reason) {
    let policy = policy(&["-c", "eth1"], &[]);
    let flow = Inbound {
        protocol: Tcp,
        source: address(source),
        destination: address("10.1.1.5"),
        port: 8080,
        interface,
    };
    assert_eq!(decide(&Flow::Inbound(flow), &policy.policy, &policy).reason, reason);
}

#[test]
fn routes_that_do_not_say_where_connections_leave_are_refused() {
    let refused =
        |facts: PodFacts| compile(&wanted(&[INJECTED, &["-c", "eth1"]].concat(), &[]).unwrap().0, &facts).unwrap_err();
    let by_source = refused(PodFacts { rules: vec!["`ip rule` 100".to_owned()], ..pod() }).to_string();
    assert!(
        by_source.contains("`ip rule` 100") && by_source.contains("--istio-exclude-interfaces"),
        "{by_source}"
    );
    let both = RouteFacts { interfaces: vec![2, 3], ..route("198.51.100.0/24", 2, "10.1.1.5") };
    let both_ways = refused(PodFacts { routes: vec![both], ..pod() }).to_string();
    assert!(both_ways.contains("198.51.100.0/24"), "{both_ways}");
}

#[test]
fn where_nothing_is_excluded_rules_and_routes_do_not_matter() {
    let facts = PodFacts { rules: vec!["`ip rule` 100".to_owned()], ..pod() };
    for args in [&[][..], &["-c", "nosuch0"]] {
        let policy = compile(&wanted(&[INJECTED, args].concat(), &[]).unwrap().0, &facts).unwrap();
        assert!(!policy.policy.has(interceptor_policy::PolicyFlags::INTERFACES));
    }
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
