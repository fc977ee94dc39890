// SPDX-License-Identifier: Apache-2.0 OR MIT
use crate::{Address, AddressClass, Flow, Inbound, NumberClass, NumberSpace, Outbound, Policy, PolicyFlags, Protocol, Reason, Verdict};

/// The port of DNS.
const DNS: u16 = 53;

/// What the operator's lists say of an address or a number: maps in the kernel, a snapshot of them in `explain`, memory in tests.
pub trait Tables {
    /// The union of what is said of all ranges that hold `address`.
    fn address(&self, address: Address) -> AddressClass;
    /// The union of what is said of all ranges of `space` that hold `number`.
    fn number(&self, space: NumberSpace, number: u32) -> NumberClass;
}

/// Decides on the first packet of a connection, in the order of the rules that `istio-iptables` writes
/// ([`capture/run.go`](https://github.com/istio/istio/blob/master/tools/istio-iptables/pkg/capture/run.go)).
///
/// Total: no error, no panic, no loop.
#[inline(always)]
pub fn decide(flow: &Flow, policy: &Policy, tables: &impl Tables) -> Verdict {
    match flow {
        Flow::Outbound(flow) => outbound(flow, policy, tables).into(),
        Flow::Inbound(flow) => inbound(flow, policy, tables).into(),
    }
}

/// Chain `ISTIO_OUTPUT` of table `nat`.
#[inline(always)]
fn outbound(flow: &Outbound, policy: &Policy, tables: &impl Tables) -> Reason {
    let Outbound { protocol, source, destination, port, owner } = *flow;
    if !policy.intercepts_family_of(destination) {
        return Reason::FamilyNotIntercepted;
    }
    let tcp = matches!(protocol, Protocol::Tcp);
    let ported = tcp || matches!(protocol, Protocol::Udp);
    let by_port =
        if policy.has(PolicyFlags::OUTBOUND_PORTS) { tables.number(NumberSpace::Port, port.into()) } else { NumberClass::default() };
    if ported && by_port.has(NumberClass::OUTBOUND_EXCLUDED) {
        return Reason::OutboundPortExcluded;
    }

    let by_address = tables.address(destination);
    let local = by_address.has(AddressClass::LOCAL);
    if local && (source.same(Address::PASSTHROUGH_V4) || source.same(Address::PASSTHROUGH_V6)) {
        return Reason::PassthroughSource;
    }

    // The rules for one proxy identity are: to itself (a), not from it to a local address (b), from it (c). Where (b) applies, the
    // first identity settles every local connection; the others are looked at only where it does not. Users come before groups.
    let dns = policy.has(PolicyFlags::DNS);
    let to_port_53 = ported && port == DNS;
    let settles_local = local && !policy.has(PolicyFlags::LOOPBACK_INCLUDED) && (!dns || (tcp && !to_port_53));
    if settles_local && !owner.is_first_proxy_id() {
        return Reason::LocalDestination;
    }
    if owner.is_proxy() {
        let left_to_dns = dns && to_port_53 && owner.is_proxy_uid();
        let to_own_pod = local && tcp && !by_address.has(AddressClass::LOOPBACK_EXEMPT) && port != policy.tunnel_port && !left_to_dns;
        return if to_own_pod { Reason::ProxyToOwnPod } else { Reason::ProxyOwner };
    }

    if owner.group_is_not_intercepted() {
        return Reason::OwnerGroup;
    }
    if dns && to_port_53 && (policy.has(PolicyFlags::DNS_ALL) || by_address.has(AddressClass::DNS_SERVER)) {
        return Reason::DnsCaptured;
    }
    if by_address.has(AddressClass::LOOPBACK_EXEMPT) {
        return Reason::LoopbackDestination;
    }
    if by_address.has(AddressClass::OUTBOUND_EXCLUDED) {
        return Reason::OutboundCidrExcluded;
    }
    if !tcp {
        return Reason::NotTcp;
    }
    if by_port.has(NumberClass::OUTBOUND_INCLUDED) {
        return Reason::OutboundPortIncluded;
    }
    if policy.has(PolicyFlags::OUTBOUND_ALL) || by_address.has(AddressClass::OUTBOUND_INCLUDED) {
        return Reason::OutboundCidrIncluded;
    }
    Reason::OutboundNotIncluded
}

/// Chains `PREROUTING` and `ISTIO_INBOUND` of table `nat`.
#[inline(always)]
fn inbound(flow: &Inbound, policy: &Policy, tables: &impl Tables) -> Reason {
    let Inbound { protocol, source, destination, port } = *flow;
    if !policy.intercepts_family_of(destination) {
        return Reason::FamilyNotIntercepted;
    }
    if !matches!(protocol, Protocol::Tcp) {
        return Reason::NotTcp;
    }
    // nat decides once per connection, and for those on `lo` it did so in OUTPUT.
    if tables.address(source).has(AddressClass::LOCAL) {
        return Reason::FromInsidePod;
    }
    if !policy.has(PolicyFlags::INBOUND) {
        return Reason::InboundDisabled;
    }
    if port == policy.tunnel_port {
        return Reason::InboundTunnelPort;
    }
    let by_port = tables.number(NumberSpace::Port, port.into());
    if policy.has(PolicyFlags::INBOUND_ALL) {
        if by_port.has(NumberClass::INBOUND_EXCLUDED) { Reason::InboundPortExcluded } else { Reason::InboundPortIncluded }
    } else if by_port.has(NumberClass::INBOUND_INCLUDED) {
        Reason::InboundPortIncluded
    } else {
        Reason::InboundPortNotIncluded
    }
}
