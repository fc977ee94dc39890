// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What the kernel answered about destinations: those without a route, and those that are the pod itself.

use rstest::rstest;

use super::*;
use crate::{NoRoute, Way};

/// The pod with more routes: their ways and sources.
fn with_routes(args: &[&str], more: &[(&str, Way, &str)], rules: &[&str]) -> CompiledPolicy {
    let more = more
        .iter()
        .map(|(prefix, way, source)| RouteFacts { way: way.clone(), ..route(prefix, 0, source) });
    let facts = PodFacts {
        routes: pod().routes.into_iter().chain(more).collect(),
        rules: rules.iter().map(ToString::to_string).collect(),
        ..pod()
    };
    compile(&wanted(&[INJECTED, args].concat(), &[]).unwrap().0, &facts).unwrap()
}

fn nowhere(prefix: &'static str, why: NoRoute) -> (&'static str, Way, &'static str) {
    (prefix, Way::Nowhere(why), "")
}

#[rstest]
#[case::none(NoRoute::None, NoRoute, ConnectError::NetworkUnreachable)]
#[case::unreachable(NoRoute::Unreachable, RouteUnreachable, ConnectError::HostUnreachable)]
#[case::blackhole(NoRoute::Blackhole, RouteBlackhole, ConnectError::Invalid)]
#[case::prohibit(NoRoute::Prohibit, RouteProhibit, ConnectError::NotAllowed)]
fn what_would_be_redirected_fails_without_a_route(
    #[case] why: NoRoute,
    #[case] reason: Reason,
    #[case] error: ConnectError,
) {
    let policy = with_routes(&["-x", "10.60.1.0/24"], &[nowhere("10.60.0.0/16", why)], &[]);
    let by = |by, to| outbound(&policy, by, Tcp, to);
    assert_eq!(by(APP, "10.60.0.1:80"), reason);
    assert_eq!(reason.action(), Some(Action::Fail(error)));
    assert_eq!(by(APP, "10.61.0.1:80"), OutboundCidrIncluded, "by the default route");
    // The kernel itself answers what passes.
    assert_eq!(by(APP, "10.60.1.1:80"), OutboundCidrExcluded);
    assert_eq!(by(PROXY, "10.60.0.1:80"), ProxyOwner);
    assert_eq!(outbound(&policy, APP, Udp, "10.60.0.1:80"), NotTcp);
}

#[test]
fn only_the_narrowest_route_counts() {
    let routes = [
        nowhere("10.60.0.0/16", NoRoute::Unreachable),
        ("10.60.1.0/24", Way::Out(vec![2]), "10.1.1.5"),
        nowhere("10.60.1.7/32", NoRoute::Prohibit),
        ("10.60.2.0/24", Way::Local, ""),
    ];
    let policy = with_routes(&[], &routes, &[]);
    let to = |to| outbound(&policy, APP, Tcp, to);
    assert_eq!(
        ["10.60.0.1:80", "10.60.1.1:80", "10.60.1.7:80", "10.60.2.1:80"].map(to),
        [RouteUnreachable, OutboundCidrIncluded, RouteProhibit, LocalDestination]
    );
}

/// A socket with a mark, or one for which a rule has another table, may have a route.
#[test]
fn where_more_than_the_destination_counts_nothing_fails() {
    let routes = [nowhere("10.60.0.0/16", NoRoute::None)];
    let policy = with_routes(&[], &routes, &[]);
    let marked = |mark| outbound_marked(&policy, APP, Tcp, "0.0.0.0", "10.60.0.1:80", mark);
    assert_eq!([marked(0), marked(7)], [NoRoute, OutboundCidrIncluded]);
    let policy = with_routes(&[], &routes, &["`ip rule` 777"]);
    assert_eq!(outbound(&policy, APP, Tcp, "10.60.0.1:80"), OutboundCidrIncluded);
}

#[test]
fn a_captured_question_fails_without_a_route() {
    let routes = [nowhere("10.96.0.0/12", NoRoute::Unreachable)];
    let policy = with_routes(&["--redirect-dns"], &routes, &[]);
    for protocol in [Tcp, Udp] {
        assert_eq!(
            outbound(&policy, APP, protocol, "10.96.0.10:53"),
            RouteUnreachable,
            "{protocol:?}"
        );
    }
}

#[rstest]
#[case::multicast("224.0.0.1")]
#[case::multicast_that_is_private("239.9.9.9")]
#[case::broadcast("255.255.255.255")]
#[case::broadcast_of_a_network("10.1.1.255")]
fn tcp_does_not_connect_to_many(#[case] address: &str) {
    let policy = with_routes(
        &["--redirect-dns", "--capture-all-dns"],
        &[("10.1.1.255/32", Way::Many(vec![2]), "")],
        &["`ip rule` 777"],
    );
    assert_eq!(outbound(&policy, APP, Tcp, &format!("{address}:80")), DestinationIsMany);
    assert_eq!(outbound(&policy, PROXY, Tcp, &format!("{address}:80")), ProxyOwner);
    assert_eq!(outbound(&policy, APP, Udp, &format!("{address}:53")), DnsCaptured);
}

#[rstest]
#[case::application(&[], APP, "10.77.0.5:80", LocalDestination)]
#[case::sidecar(&[], PROXY, "10.77.0.5:80", ProxyToOwnPod)]
#[case::beside_it(&[], APP, "10.78.0.5:80", OutboundCidrIncluded)]
#[case::with_lo_excluded(&["-c", "lo"], PROXY, "10.77.0.5:80", InterfaceExcluded)]
#[case::with_another_excluded(&["-c", "eth0"], PROXY, "10.77.0.5:80", ProxyToOwnPod)]
fn a_local_range_is_the_pod_itself(#[case] args: &[&str], #[case] by: By, #[case] to: &str, #[case] reason: Reason) {
    let policy = with_routes(args, &[("10.77.0.0/16", Way::Local, "")], &[]);
    assert_eq!(outbound(&policy, by, Tcp, to), reason);
}

/// Rules may stand before the table of local addresses.
#[test]
fn the_kernel_knows_better_what_is_local() {
    let policy = with_routes(&[], &[("10.1.1.6/32", Way::Out(vec![2]), "10.1.1.5")], &[]);
    assert_eq!(outbound(&policy, APP, Tcp, "10.1.1.6:80"), OutboundCidrIncluded);
    assert_eq!(outbound(&policy, APP, Tcp, "10.1.1.7:80"), LocalDestination);
}

#[test]
fn a_local_range_knows_its_source() {
    let routes = [
        ("10.201.0.0/24", Way::Local, "10.201.0.1"),
        ("10.77.0.0/16", Way::Local, ""),
        ("10.1.1.5/32", Way::Local, ""),
    ];
    let sources: Vec<_> = with_routes(&[], &routes, &[])
        .sources
        .iter()
        .map(|prefix| (prefix.address, prefix.prefix_len - 96, prefix.source))
        .collect();
    let itself = address("0.0.0.0");
    assert_eq!(
        sources,
        [
            (address("0.0.0.0"), 0, address("10.1.1.5")),
            (address("10.1.1.5"), 32, itself),
            (address("10.77.0.0"), 16, itself),
            (address("10.201.0.0"), 24, address("10.201.0.1")),
            (address("192.168.7.0"), 24, address("192.168.7.2")),
        ]
    );
}
