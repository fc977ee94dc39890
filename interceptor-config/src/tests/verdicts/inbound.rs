// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Which inbound ports are intercepted.

use rstest::rstest;

use super::*;

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
