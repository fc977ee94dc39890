// SPDX-License-Identifier: Apache-2.0 OR MIT
use crate::{
    abi::{AddressClass, NumberClass, NumberSpace, Policy, PolicyFlags},
    action::Action,
    address::Address,
    flow::{Flow, Inbound, LOOPBACK_INTERFACE, Outbound, Protocol},
    reason::Decision,
    tables::Tables,
    verdict::Verdict,
};

/// Where DNS servers listen: the port of questions that may be captured.
pub const DNS_SERVICE_PORT: u16 = 53;

/// Decides on the first packet of a connection, in the order of the rules that `istio-iptables` writes
/// ([`capture/run.go`](https://github.com/istio/istio/blob/master/tools/istio-iptables/pkg/capture/run.go)).
///
/// Total: no error, no panic, no loop.
#[inline(always)]
pub fn decide(flow: &Flow, policy: &Policy, tables: &impl Tables) -> Verdict {
    match flow {
        Flow::Outbound(flow) => refuse_if_bound_to_device(flow, outbound(flow, policy, tables)).into(),
        Flow::Inbound(flow) => inbound(flow, policy, tables).into(),
    }
}

/// The sidecar is reached by `lo`. From a socket that is bound to an interface, the kernel has no route there but from
/// `lo`, for connections that were on it anyway.
#[inline(always)]
fn refuse_if_bound_to_device(flow: &Outbound, decision: Decision) -> Decision {
    let on_loopback = flow.interface == LOOPBACK_INTERFACE && flow.destination.is_loopback();
    if flow.interface == 0 || on_loopback || matches!(decision.action(), Action::Pass) {
        decision
    } else {
        Decision::BoundToInterface
    }
}

/// Chain `ISTIO_OUTPUT` of table `nat`; under TPROXY then `OUTPUT` and `PREROUTING` of `mangle`, for connections on
/// `lo` that `nat` lets pass.
#[inline(always)]
fn outbound(flow: &Outbound, policy: &Policy, tables: &impl Tables) -> Decision {
    let Outbound { protocol, source, destination, port, owner, mark, interface } = *flow;
    if !policy.intercepts_family_of(destination) {
        return Decision::FamilyNotIntercepted;
    }
    let tcp = matches!(protocol, Protocol::Tcp);
    let ported = tcp || matches!(protocol, Protocol::Udp);
    let marked = policy.is_marked(mark);
    let by_port = if policy.has(PolicyFlags::OUTBOUND_PORTS) {
        tables.number(NumberSpace::Port, port.into())
    } else {
        NumberClass::default()
    };
    let by_address = tables.address(destination);
    // Marked packets are routed to `lo` wherever they are going.
    let local = by_address.has(AddressClass::LOCAL) || marked;
    let exempt = by_address.has(AddressClass::LOOPBACK_EXEMPT);
    let passthrough = local && (source.same(Address::PASSTHROUGH_V4) || source.same(Address::PASSTHROUGH_V6));
    if policy.has(PolicyFlags::INTERFACES) {
        // What a socket is bound to says nothing of connections to an address of the pod: they take `lo`.
        let bound = match (marked, local) {
            (true, _) => LOOPBACK_INTERFACE,
            (false, true) => 0,
            (false, false) => interface,
        };
        if passes_excluded(bound, by_address, tables) {
            return Decision::InterfaceExcluded;
        }
    }
    // What is done with a connection that nat lets pass: mangle delivers those of the proxy to its own pod.
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

    // The rules for one proxy identity are: to itself (a), not from it to a local address (b), from it (c). Where (b)
    // applies, the first identity settles every local connection; the others are looked at only where it does not.
    // Users come before groups.
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

/// Chains `PREROUTING` and `ISTIO_INBOUND`, of table `nat` or, under TPROXY, of `mangle`.
#[inline(always)]
fn inbound(flow: &Inbound, policy: &Policy, tables: &impl Tables) -> Decision {
    let Inbound { protocol, source, destination, port, interface } = *flow;
    if !policy.intercepts_family_of(destination) {
        return Decision::FamilyNotIntercepted;
    }
    if !matches!(protocol, Protocol::Tcp) {
        return Decision::NotTcp;
    }
    // What is on `lo` was decided when it left its socket. It has an address of the pod as its source or, if it keeps
    // that of a client, was routed to `lo` by its mark.
    let by_source = tables.address(source);
    if interface == LOOPBACK_INTERFACE || by_source.has(AddressClass::LOCAL) {
        return Decision::FromInsidePod;
    }
    if policy.has(PolicyFlags::INTERFACES) && passes_excluded(interface, by_source, tables) {
        return Decision::InterfaceExcluded;
    }
    // TPROXY makes no exception for it.
    if port == policy.tunnel_port && policy.has(PolicyFlags::INBOUND) && !policy.has(PolicyFlags::TPROXY) {
        return Decision::InboundTunnelPort;
    }
    inbound_port(port, policy, tables)
}

/// Whether packets to or from the other side pass through an excluded interface: a known one, or the one of the route
/// to it.
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

/// What the inbound lists say of a port.
#[inline(always)]
fn inbound_port(port: u16, policy: &Policy, tables: &impl Tables) -> Decision {
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
