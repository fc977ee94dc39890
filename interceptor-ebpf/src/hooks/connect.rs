// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `connect()`: decides where a connection goes, and sends it there. Fails closed: a connection that must be redirected
//! and cannot be is refused.

use interceptor_policy::{
    Action, Address, AddressClass, Destination, Outbound, Owner, Protocol, Reason, SlotAddress, Tables as _,
};

use crate::{
    dns_agent,
    family::Family,
    outcome::{ALLOW, EADDRNOTAVAIL, fail_with, refuse},
    pod::Pod,
    reserved::is_reserved,
    rules,
    source::{chosen_source, source_under_iptables},
    trace::Seen,
    user_address::UserAddress,
};

/// Decides where a connection goes, and sends it there.
#[inline(always)]
pub(crate) fn connect<F: Family>(user: &UserAddress<'_, F>) -> i32 {
    let Some(pod) = Pod::of(user.as_ptr()) else {
        return ALLOW; // the pod is not enrolled, so nothing is intercepted
    };
    let (source, owner, mark, interface) =
        user.socket()
            .map_or((Address::UNSPECIFIED_V4, Owner::APPLICATION, 0, 0), |socket| {
                (
                    chosen_source(user, pod, socket),
                    Pod::owner(socket),
                    socket.mark(),
                    socket.bound_interface(),
                )
            });
    let flow = Outbound {
        protocol: Protocol::from_number(user.protocol()),
        source,
        destination: user.address().as_reached_from(source),
        port: user.port(),
        owner,
        mark,
        interface,
    };
    if is_reserved(source) {
        // The socket was bound before the pod was enrolled, or the sidecar had accepted it. Whoever is connected to it
        // would take it for the other end of a redirected connection.
        Seen::dialed(&flow).count(pod, Reason::SlotAsSource);
        return fail_with(EADDRNOTAVAIL);
    }
    if !bind_tproxy_to_lo(user, pod, &flow) {
        return refuse(); // fail closed: the connection would come back to the sidecar again and again
    }
    let Some(verdict) = rules::outbound(pod, &flow) else {
        return refuse(); // fail closed; the rules always return a verdict
    };
    let proxy_port = match verdict.action {
        Action::Pass => {
            if pod.slot_in(flow.destination, flow.port).is_some() {
                // The application dialed a slot address itself. Send it to plain loopback instead, so that only a
                // redirect can use a slot.
                user.set_address(user.address().loopback());
            }
            if flow.protocol == Protocol::Udp && pod.is_agent(flow.destination, flow.port) {
                dns_agent::connect_by_hand(user, Destination::new(flow.destination, flow.port));
            }
            return ALLOW;
        }
        Action::RedirectOutbound => pod.policy.outbound_port,
        Action::RedirectInbound => pod.policy.inbound_port,
        Action::RedirectDns if flow.protocol == Protocol::Udp => return dns_agent::connect(user, pod, &flow),
        Action::RedirectDns => pod.policy.dns_port,
        Action::Fail(error) => return fail_with(error.errno()),
    };
    redirect(user, pod, flow, verdict.reason, proxy_port)
}

/// Sends the connection to the sidecar, by way of a slot that remembers its destination.
#[inline(always)]
fn redirect<F: Family>(
    user: &UserAddress<'_, F>,
    pod: Pod<'_>,
    flow: Outbound,
    reason: Reason,
    proxy_port: u16,
) -> i32 {
    let destination = Destination::new(flow.destination, flow.port);
    let Some(slot) = pod.take_slot(destination) else {
        Seen::dialed(&flow).count(pod, Reason::NoSlot);
        return refuse(); // fail closed: nothing would remember the destination
    };
    let source = source_under_iptables(pod, &flow, reason);
    // A socket with a port of its own cannot be bound to the source. Then the slot address says so, and both ends are
    // shown that source.
    let source_is_pod = !source.is_unspecified() && !user.bind(source);
    let transparent = matches!(reason, Reason::ProxyToOwnPodTransparently);
    user.set_address(SlotAddress { slot, source_is_pod, transparent }.encode(destination.address));
    user.set_port(proxy_port);
    ALLOW
}

/// Binds a socket to `lo` that the sidecar connects with the address of its client, under TPROXY. False if that fails.
///
/// Such a connection is marked, and its source is not an address of the pod. If it is to an address of the pod, the
/// kernel would let it arrive at the interface of that address, as the client's own connections do, and `sk_lookup`
/// could not tell the two apart. Bound to `lo`, the connection takes the route of its mark, and arrives at `lo`.
#[inline(always)]
fn bind_tproxy_to_lo<F: Family>(user: &UserAddress<'_, F>, pod: Pod<'_>, flow: &Outbound) -> bool {
    let by_the_sidecar =
        pod.policy.is_marked(flow.mark) && flow.protocol == Protocol::Tcp && !flow.source.is_unspecified();
    if !by_the_sidecar || !pod.policy.intercepts_family_of(flow.destination) {
        return true;
    }
    pod.address(flow.source).has(AddressClass::LOCAL) || user.bind_to_loopback_device()
}
