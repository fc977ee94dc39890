// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What is different under TPROXY.

use rstest::rstest;

use super::*;

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
