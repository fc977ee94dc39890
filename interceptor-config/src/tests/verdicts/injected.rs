// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Who goes where in a pod with the flags that Istio's injector passes.

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
