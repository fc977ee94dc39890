// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Excluded interfaces, and sockets that are bound to one.

use rstest::rstest;

use super::*;

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
#[case::no_route_inside_an_excluded_range(
    &["-c", "eth1", "-x", "192.168.0.0/16"],
    "192.168.8.9:80",
    OutboundCidrExcluded
)]
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
#[case::proxy_to_its_pod(PROXY, 2, "10.1.1.5", BoundToInterface)]
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

/// Istio's rules that name `lo` match it, whatever its destination is. What they redirect is refused, unless it is for
/// loopback: from such a socket no sidecar is reached.
#[rstest]
#[case::app_to_the_outside(APP, "198.51.100.1", LocalDestination)]
#[case::app_to_its_pod(APP, "10.1.1.5", LocalDestination)]
#[case::proxy_to_the_outside(PROXY, "198.51.100.1", BoundToInterface)]
#[case::proxy_to_its_pod(PROXY, "10.1.1.5", BoundToInterface)]
#[case::proxy_to_another_loopback(PROXY, "127.0.0.2", ProxyToOwnPod)]
#[case::proxy_to_localhost(PROXY, "127.0.0.1", ProxyOwner)]
fn a_socket_bound_to_lo_leaves_by_lo(#[case] by: By, #[case] destination: &str, #[case] reason: Reason) {
    assert_eq!(outbound_by(&policy(&[], &[]), by, 1, destination), reason);
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
    let both = RouteFacts { way: Way::Out(vec![2, 3]), ..route("198.51.100.0/24", 2, "10.1.1.5") };
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
