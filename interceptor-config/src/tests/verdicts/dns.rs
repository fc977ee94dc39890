// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Which DNS queries are captured.

use rstest::rstest;

use super::*;

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
