// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The rules: the order in which Istio decides on a connection. They look up lists through [`Tables`], and change
//! nothing.

use crate::{
    abi::{AddressClass, NumberClass, NumberSpace, Policy, PolicyFlags},
    action::Action,
    address::Address,
    flow::{Flow, Inbound, LOOPBACK_INTERFACE, Outbound, Protocol},
    reason::Decision,
    tables::Tables,
    verdict::Verdict,
};

/// The port of DNS servers. Only questions to this port are captured.
pub const DNS_SERVICE_PORT: u16 = 53;

/// Decides on the first packet of a connection, in the order of the rules that `istio-iptables` writes
/// ([`capture/run.go`](https://github.com/istio/istio/blob/master/tools/istio-iptables/pkg/capture/run.go)).
///
/// It always returns a verdict. It has no error, no panic and no loop.
#[cfg_attr(
    feature = "mutants",
    expect(unreachable_pub, reason = "there, a mutant stands for it")
)]
#[inline(always)]
pub fn decide(flow: &Flow, policy: &Policy, tables: &impl Tables) -> Verdict {
    match flow {
        Flow::Outbound(flow) => outbound(flow, policy, tables).into(),
        Flow::Inbound(flow) => inbound(flow, policy, tables).into(),
    }
}

/// The rules, and what keeps a connection that they redirect from being made.
#[inline(always)]
fn outbound(flow: &Outbound, policy: &Policy, tables: &impl Tables) -> Decision {
    if !policy.intercepts_family_of(flow.destination) {
        return Decision::FamilyNotIntercepted;
    }
    let by_address = tables.address(flow.destination);
    let decision = by_rules(flow, by_address, policy, tables);
    if matches!(decision.action(), Action::Pass) {
        return decision; // the kernel itself says what keeps it from being made
    }
    // A socket bound to another interface cannot reach the sidecar on `lo`. Only loopback connections bound to `lo`
    // itself can.
    let on_loopback = flow.interface == LOOPBACK_INTERFACE && flow.destination.is_loopback();
    // Questions reach the DNS agent by every interface. For them it counts what the socket is bound to when it is
    // answered, and not when it is connected.
    let asks_agent = flow.interface != LOOPBACK_INTERFACE
        && matches!(flow.protocol, Protocol::Udp)
        && matches!(decision.action(), Action::RedirectDns);
    if flow.interface != 0 && !on_loopback && !asks_agent {
        return Decision::BoundToInterface;
    }
    without_route(flow, by_address).unwrap_or(decision)
}

/// The error with which a connection fails before a rule is asked. The kernel looks for a route first, and redirection
/// replaces the destination before that. So the routes are known from when the pod was enrolled. No helper tells them:
/// `bpf_fib_lookup` exists only for programs that see packets.
#[inline(always)]
fn without_route(flow: &Outbound, by_address: AddressClass) -> Option<Decision> {
    if !by_address.has_any(AddressClass::WITHOUT_ROUTE) || flow.mark != 0 {
        return None; // the mark may lead to another routing table
    }
    if by_address.has(AddressClass::NO_ROUTE) {
        Some(Decision::NoRoute)
    } else if by_address.has(AddressClass::ROUTE_UNREACHABLE) {
        Some(Decision::RouteUnreachable)
    } else if by_address.has(AddressClass::ROUTE_BLACKHOLE) {
        Some(Decision::RouteBlackhole)
    } else if by_address.has(AddressClass::ROUTE_PROHIBIT) {
        Some(Decision::RouteProhibit)
    } else {
        matches!(flow.protocol, Protocol::Tcp).then_some(Decision::DestinationIsMany)
    }
}

/// Chain `ISTIO_OUTPUT` of table `nat`. Under TPROXY also `OUTPUT` and `PREROUTING` of table `mangle`, for connections
/// on `lo` that table `nat` lets pass.
#[inline(always)]
fn by_rules(flow: &Outbound, by_address: AddressClass, policy: &Policy, tables: &impl Tables) -> Decision {
    let Outbound { protocol, source, destination: _, port, owner, mark, interface } = *flow;
    let tcp = matches!(protocol, Protocol::Tcp);
    let ported = tcp || matches!(protocol, Protocol::Udp);
    let marked = policy.is_marked(mark);
    let by_port = if policy.has(PolicyFlags::OUTBOUND_PORTS) {
        tables.number(NumberSpace::Port, port.into())
    } else {
        NumberClass::default()
    };
    // Packets with TPROXY's mark are routed to `lo`, and those of a socket that is bound to `lo` leave by it, whatever
    // their destination is.
    let by_loopback = marked || interface == LOOPBACK_INTERFACE;
    let local = by_address.has(AddressClass::LOCAL) || by_loopback;
    let exempt = by_address.has(AddressClass::LOOPBACK_EXEMPT);
    let passthrough = local && (source.same(Address::PASSTHROUGH_V4) || source.same(Address::PASSTHROUGH_V6));
    if policy.has(PolicyFlags::INTERFACES) {
        // Connections to an address of the pod use `lo`, whatever interface their socket is bound to.
        let bound = match (by_loopback, local) {
            (true, _) => LOOPBACK_INTERFACE,
            (false, true) => 0,
            (false, false) => interface,
        };
        if passes_excluded(bound, by_address, tables) {
            return Decision::InterfaceExcluded;
        }
    }
    // Table `mangle` may still redirect a connection that table `nat` lets pass, if the proxy makes it to its own pod.
    let passed = |decision| {
        let to_own_pod =
            policy.has(PolicyFlags::TPROXY) && tcp && local && owner.is_proxy() && !(marked || exempt || passthrough);
        let intercepted = to_own_pod && matches!(inbound_port(port, policy, tables), Decision::InboundPortIncluded);
        if intercepted { Decision::ProxyToOwnPodTransparently } else { decision }
    };

    if ported && by_port.has(NumberClass::OUTBOUND_EXCLUDED) {
        return passed(Decision::OutboundPortExcluded);
    }
    if passthrough {
        return Decision::PassthroughSource;
    }

    // Istio writes three rules for each identity (user or group) of the proxy: (a) from the identity to its own pod,
    // (b) not from the identity to a local address, (c) from the identity. Users come before groups. Where rule (b)
    // exists, that of the first identity ends every local connection which is not its own. So the rules of the other
    // identities matter for local connections only where (b) does not exist.
    let dns = policy.has(PolicyFlags::DNS);
    let to_port_53 = ported && port == DNS_SERVICE_PORT;
    let settles_local = local && !policy.has(PolicyFlags::LOOPBACK_INCLUDED) && (!dns || (tcp && !to_port_53));
    if settles_local && !owner.is_first_proxy_id() {
        return passed(Decision::LocalDestination);
    }
    if owner.is_proxy() {
        let left_to_dns = dns && to_port_53 && owner.is_proxy_uid();
        let to_own_pod = local && tcp && !exempt && port != policy.tunnel_port && !left_to_dns;
        return if to_own_pod { Decision::ProxyToOwnPod } else { passed(Decision::ProxyOwner) };
    }

    if owner.group_is_not_intercepted() {
        return Decision::OwnerGroup;
    }
    if dns && to_port_53 && (policy.has(PolicyFlags::DNS_ALL) || by_address.has(AddressClass::DNS_SERVER)) {
        return Decision::DnsCaptured;
    }
    if exempt {
        return Decision::LoopbackDestination;
    }
    if by_address.has(AddressClass::OUTBOUND_EXCLUDED) {
        return Decision::OutboundCidrExcluded;
    }
    if !tcp {
        return Decision::NotTcp;
    }
    if by_port.has(NumberClass::OUTBOUND_INCLUDED) {
        return Decision::OutboundPortIncluded;
    }
    if policy.has(PolicyFlags::OUTBOUND_ALL) || by_address.has(AddressClass::OUTBOUND_INCLUDED) {
        return Decision::OutboundCidrIncluded;
    }
    Decision::OutboundNotIncluded
}

/// Chains `PREROUTING` and `ISTIO_INBOUND`, of table `nat` or, under TPROXY, of table `mangle`.
#[inline(always)]
fn inbound(flow: &Inbound, policy: &Policy, tables: &impl Tables) -> Decision {
    let Inbound { protocol, source, destination, port, interface } = *flow;
    if !policy.intercepts_family_of(destination) {
        return Decision::FamilyNotIntercepted;
    }
    if !matches!(protocol, Protocol::Tcp) {
        return Decision::NotTcp;
    }
    // A connection inside the pod was decided when it left its socket. Its source is an address of the pod, or, if the
    // sidecar uses the address of its client, its mark has routed it to `lo`. The interface alone does not tell: for a
    // connection inside the pod it is that of the destination address
    // ([`ipv6_rcv`](https://github.com/torvalds/linux/blob/v6.12/net/ipv6/ip6_input.c)).
    let by_source = tables.address(source);
    if interface == LOOPBACK_INTERFACE || by_source.has(AddressClass::LOCAL) {
        return Decision::FromInsidePod;
    }
    if policy.has(PolicyFlags::INTERFACES) && passes_excluded(interface, by_source, tables) {
        return Decision::InterfaceExcluded;
    }
    // Under TPROXY Istio writes no exception for the tunnel port.
    if port == policy.tunnel_port && policy.has(PolicyFlags::INBOUND) && !policy.has(PolicyFlags::TPROXY) {
        return Decision::InboundTunnelPort;
    }
    inbound_port(port, policy, tables)
}

/// Whether the packets of a connection use an excluded interface: `interface` if it is known, or else the interface of
/// the route to the other side.
#[inline(always)]
fn passes_excluded(interface: u32, other_side: AddressClass, tables: &impl Tables) -> bool {
    if interface == 0 {
        other_side.has(AddressClass::INTERFACE_EXCLUDED)
    } else {
        tables
            .number(NumberSpace::Interface, interface)
            .has(NumberClass::INTERFACE_EXCLUDED)
    }
}

/// What the inbound lists say about a port.
#[inline(always)]
pub(crate) fn inbound_port(port: u16, policy: &Policy, tables: &impl Tables) -> Decision {
    if !policy.has(PolicyFlags::INBOUND) {
        return Decision::InboundDisabled;
    }
    let by_port = tables.number(NumberSpace::Port, port.into());
    if policy.has(PolicyFlags::INBOUND_ALL) {
        if by_port.has(NumberClass::INBOUND_EXCLUDED) {
            Decision::InboundPortExcluded
        } else {
            Decision::InboundPortIncluded
        }
    } else if by_port.has(NumberClass::INBOUND_INCLUDED) {
        Decision::InboundPortIncluded
    } else {
        Decision::InboundPortNotIncluded
    }
}
