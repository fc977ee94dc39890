// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What includes and excludes outbound connections: ports, ranges, owner groups.

use rstest::rstest;

use super::*;

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
