// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `sk_lookup`: chooses the socket for a connection that arrives at the pod, or was redirected inside the pod. It never
//! changes the packet.

use aya_ebpf::{
    bindings::{
        bpf_sk_lookup,
        sk_action::{SK_DROP, SK_PASS},
    },
    programs::SkLookupContext,
};
use interceptor_policy::{
    Action, Address, Caller, Direction, Inbound, LISTENERS_PER_KIND, LOOPBACK_INTERFACE, ListenerFamily, ListenerKey,
    ListenerScope, Outbound, Protocol, Reason, SlotAddress,
};

use crate::{
    ctx::field,
    maps::{LISTENERS, LOOKUP_CALLER},
    pod::Pod,
    reserved::is_reserved,
    rules,
    search::{Search, find_first},
    socket::{address, low_half},
    trace::{Seen, arrived},
};

/// Chooses the socket for a new connection: a socket of the sidecar if the connection is intercepted.
#[inline(always)]
pub(crate) fn select_socket(ctx: &SkLookupContext) -> u32 {
    let protocol = Protocol::from_number(field!(ctx.lookup, protocol));
    let interface = field!(ctx.lookup, ingress_ifindex);
    if interface == 0 && protocol == Protocol::Udp {
        return SK_PASS; // no packet: a program asks who the DNS agent is
    }
    let Some(netns_cookie) = caller(ctx.lookup) else {
        return SK_DROP; // fail closed: the pod of this connection is not known
    };
    let Some(pod) = Pod::enrolled(netns_cookie) else {
        return SK_PASS; // the pod is not enrolled, so nothing is intercepted
    };
    let (source, destination) = addresses(ctx.lookup);
    let port = low_half(field!(ctx.lookup, local_port));
    let inbound = Inbound { protocol, source, destination, port, interface };
    let seen = Arrival { flow: arrived(inbound), source_port: source_port(ctx.lookup) };
    let to_slot = pod.slot_in(destination, port).is_some();
    if (to_slot || SlotAddress::is_in_network_v6(destination)) && interface != LOOPBACK_INTERFACE {
        seen.count(pod, Reason::SlotFromOutside);
        return SK_DROP; // fail closed: only a redirected connection of the pod itself may use a slot
    }
    if is_reserved(source) && !is_of_dns(pod, protocol, source, destination, port) {
        seen.count(pod, Reason::SlotAsSource);
        return SK_DROP; // fail closed: whoever gets this would be shown the slot's destination as its peer
    }
    if to_slot {
        return to_sidecar(ctx, pod, &seen, (port, ListenerScope::INSIDE)); // connect() has decided
    }
    let verdict = rules::inbound(pod, inbound);
    seen.count(pod, verdict.reason);
    match verdict.action {
        Action::Pass => SK_PASS,
        Action::RedirectInbound => to_sidecar(ctx, pod, &seen, (pod.policy.inbound_port, ListenerScope::OUTSIDE)),
        Action::RedirectDns => to_sidecar(ctx, pod, &seen, (pod.policy.dns_port, ListenerScope::OUTSIDE)),
        Action::RedirectOutbound => to_sidecar(ctx, pod, &seen, (pod.policy.outbound_port, ListenerScope::OUTSIDE)),
        Action::Fail(_) => SK_DROP,
    }
}

/// Whether a datagram is a question to the DNS agent, or its answer. Those are the only packets from a slot that look
/// for a socket. (The sidecar's packets on a connection that it accepted find their socket by the connection.)
#[inline(always)]
fn is_of_dns(pod: Pod<'_>, protocol: Protocol, source: Address, destination: Address, port: u16) -> bool {
    protocol == Protocol::Udp && (source.same(destination) || pod.is_agent(destination, port))
}

/// The pod whose lookup stub called this program: its stub has just written that on this CPU. If another lookup ran on
/// this CPU in between, its context address differs, and we return `None`. (Only a lookup without a packet can do
/// that.)
#[inline(always)]
fn caller(lookup: *mut bpf_sk_lookup) -> Option<u64> {
    let caller = LOOKUP_CALLER.get_ptr(0)?;
    // SAFETY: the value belongs to this CPU.
    let Caller { netns_cookie, context } = unsafe { *caller };
    if context == lookup as u64 { Some(netns_cookie) } else { None }
}

/// Source and destination of the packet.
#[inline(always)]
fn addresses(lookup: *mut bpf_sk_lookup) -> (Address, Address) {
    let remote_v4 = field!(lookup, remote_ip4);
    let local_v4 = field!(lookup, local_ip4);
    let remote_v6 = [
        field!(lookup, remote_ip6[0]),
        field!(lookup, remote_ip6[1]),
        field!(lookup, remote_ip6[2]),
        field!(lookup, remote_ip6[3]),
    ];
    let local_v6 = [
        field!(lookup, local_ip6[0]),
        field!(lookup, local_ip6[1]),
        field!(lookup, local_ip6[2]),
        field!(lookup, local_ip6[3]),
    ];
    let family = field!(lookup, family);
    (address(family, remote_v4, remote_v6), address(family, local_v4, local_v6))
}

/// Host byte order.
#[inline(always)]
fn source_port(lookup: *mut bpf_sk_lookup) -> u16 {
    u16::from_be(field!(lookup, remote_port))
}

/// A connection that arrives, for those who trace the pod.
struct Arrival {
    flow: Outbound,
    source_port: u16,
}

impl Arrival {
    #[inline(always)]
    fn count(&self, pod: Pod<'_>, reason: Reason) {
        let Self { flow, source_port } = self;
        Seen { direction: Direction::In, flow, source_port: *source_port }.count(pod, reason);
    }
}

/// Gives the connection to a socket of the sidecar that listens on `port`, on all addresses or on those of `scope`. The
/// kernel spreads connections over the `SO_REUSEPORT` group of that socket.
#[inline(always)]
fn to_sidecar(ctx: &SkLookupContext, pod: Pod<'_>, seen: &Arrival, (port, scope): (u16, ListenerScope)) -> u32 {
    let search = ListenerSearch { lookup: ctx.lookup, netns_cookie: pod.netns_cookie, port, scope };
    if find_first(ListenerSearch::CANDIDATES, search).is_some() {
        return SK_PASS;
    }
    seen.count(pod, Reason::NoListener);
    SK_DROP // fail closed: the sidecar does not listen, and the application must not get the connection
}

/// Looks for a socket that takes the connection: first among those that listen on all addresses, then among those that
/// listen on the addresses of `scope`; each time, IPv4 sockets come first.
struct ListenerSearch {
    lookup: *mut bpf_sk_lookup,
    netns_cookie: u64,
    port: u16,
    scope: ListenerScope,
}

impl ListenerSearch {
    /// Two scopes, two families each.
    const CANDIDATES: u32 = 2 * 2 * LISTENERS_PER_KIND as u32;
}

impl Search for ListenerSearch {
    /// Accepts a socket of the connection's family. It gets the connection at once.
    #[inline(always)]
    #[expect(clippy::cast_possible_truncation, reason = "the index is below LISTENERS_PER_KIND")]
    fn accepts(&self, candidate: u32) -> bool {
        let (kind, index) = (
            candidate / u32::from(LISTENERS_PER_KIND),
            candidate % u32::from(LISTENERS_PER_KIND),
        );
        let scope = if kind < 2 { ListenerScope::ANY } else { self.scope };
        let family = if kind % 2 == 0 { ListenerFamily::V4 } else { ListenerFamily::V6 };
        let key = ListenerKey::new(self.netns_cookie, self.port, scope, family, index as u16);
        // An error means that there is no such socket, or that it serves the other family only.
        LISTENERS.redirect_sk_lookup(SkLookupContext::new(self.lookup), key, 0).is_ok()
    }
}
