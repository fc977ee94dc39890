// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The guard: drops what leaves the pod by a real interface although it was to be redirected. Fails closed: a doubtful
//! packet is dropped unless the rules let it pass.

use aya_ebpf::{bindings::__sk_buff, programs::TcContext};
use interceptor_policy::{
    Action, Address, DNS_SERVICE_PORT, Direction, Enrollment, Leaving, Outbound, Owner, PolicyFlags, Protocol, Reason,
    Sender,
};

use crate::{
    ctx::field,
    packet::{Headers, Packet},
    pod::Pod,
    rules, sender,
    socket::Socket,
    trace::Seen,
};

/// The packet goes on, to the next program of the interface if there is one.
const NEXT: i32 = -1;
/// The packet is dropped.
const DROP: i32 = 2;

/// Judges a packet that is about to leave. Those of a connection that has begun are known by their socket alone.
#[inline(always)]
pub(crate) fn judge(ctx: &TcContext) -> i32 {
    let skb = ctx.skb.skb;
    let socket = sender::socket(skb);
    let dropped = match socket {
        Some(socket) if has_begun(socket) => {
            if !socket.peer_address().is_of_redirection() {
                return NEXT; // only the first packet of a connection is of interest
            }
            reason_to_drop_later(skb, socket)
        }
        _ => reason_to_drop(skb, socket),
    };
    match dropped {
        Some(Dropped { pod, reason, headers }) => {
            count(pod, reason, &headers);
            DROP // fail closed: it was to be redirected, or cannot be judged
        }
        None => NEXT,
    }
}

/// A packet that is dropped, and why.
struct Dropped<'a> {
    pod: Pod<'a>,
    reason: Reason,
    /// What is known of its headers.
    headers: Headers,
}

#[inline(always)]
fn count(pod: Pod<'_>, reason: Reason, headers: &Headers) {
    let Headers { protocol, source, destination, port, route: _ } = *headers;
    let flow = Outbound {
        source,
        destination,
        owner: Owner::APPLICATION,
        mark: 0,
        interface: 0,
        port,
        protocol,
    };
    Seen { direction: Direction::Packet, flow: &flow, source_port: 0 }.count(pod, reason);
}

/// A TCP socket sends its SYN in one state only. Whatever it sends in another belongs to a connection that has begun.
#[inline(always)]
fn has_begun(socket: Socket) -> bool {
    socket.is_stream() && !socket.is_dialing()
}

/// Drops a packet of a redirected connection: its socket got a routing header after it had connected, or `lo` does not
/// lead to the sidecar any longer.
#[inline(always)]
fn reason_to_drop_later<'a>(skb: *mut __sk_buff, socket: Socket) -> Option<Dropped<'a>> {
    let (pod, _cgroup_id) = guarded_pod(skb)?;
    let headers = Headers {
        protocol: Protocol::Tcp,
        source: socket.local_address(),
        destination: socket.peer_address(),
        port: socket.peer_port(),
        route: None,
    };
    let redirected = Dropped { pod, reason: Reason::GuardRedirected, headers };
    pod.policy.is_proxy_port(headers.port).then_some(redirected)
}

/// Drops a first packet about which nobody has asked the rules, and which they redirect. `None` lets the packet pass.
#[inline(always)]
fn reason_to_drop<'a>(skb: *mut __sk_buff, socket: Option<Socket>) -> Option<Dropped<'a>> {
    if field!(skb, ingress_ifindex) != 0 {
        return None; // it is forwarded; the rules are about connections of the pod's own sockets
    }
    let headers = match Packet::read(skb) {
        Packet::Other => return None, // no rule redirects it
        Packet::First(headers) if is_ordinary_datagram(&headers) => return None, // nor this
        Packet::First(headers) => headers,
        Packet::Unreadable(family) => {
            let (pod, _cgroup_id) = guarded_pod(skb)?;
            let intercepted = pod.policy.intercepts_family_of(family);
            let headers = Headers {
                protocol: Protocol::Other,
                source: family,
                destination: family,
                port: 0,
                route: None,
            };
            // Fail closed: no rule can judge it.
            return intercepted.then_some(Dropped { pod, reason: Reason::GuardUnreadable, headers });
        }
    };
    let (pod, cgroup_id) = guarded_pod(skb)?; // nothing is intercepted there, or the guard is switched off
    let reason = judge_first(skb, socket, pod, cgroup_id, &headers)?;
    Some(Dropped { pod, reason, headers })
}

/// Of UDP, only questions to DNS servers are redirected.
#[inline(always)]
fn is_ordinary_datagram(headers: &Headers) -> bool {
    let Headers { protocol, source: _, destination, port, route } = headers;
    let question = *port == DNS_SERVICE_PORT || destination.is_of_redirection() || route.is_some();
    matches!(protocol, Protocol::Udp) && !question
}

/// The pod that the interface belongs to, and the id of its cgroup.
#[inline(always)]
fn guarded_pod<'a>(skb: *mut __sk_buff) -> Option<(Pod<'a>, u64)> {
    let netns_cookie = sender::netns_cookie(skb)?;
    let Enrollment { policy, cgroup_id, .. } = Pod::enrollment(netns_cookie)?;
    policy
        .has(PolicyFlags::GUARD)
        .then_some((Pod { netns_cookie, policy }, *cgroup_id))
}

#[inline(always)]
fn judge_first(
    skb: *mut __sk_buff,
    socket: Option<Socket>,
    pod: Pod<'_>,
    cgroup_id: u64,
    headers: &Headers,
) -> Option<Reason> {
    let Headers { protocol, source, destination, port, route } = *headers;
    let to_redirection = destination.is_of_redirection() || route.is_some_and(Address::is_of_redirection);
    if to_redirection && pod.policy.is_proxy_port(port) && pod.policy.intercepts_family_of(destination) {
        return Some(Reason::GuardRedirected); // redirected, and then routed away from `lo`
    }
    let sender = match socket {
        Some(socket) if socket.is_tcp_or_udp() => {
            if sender::is_in_cgroup(skb, cgroup_id) {
                Sender::Member
            } else {
                Sender::Outsider
            }
        }
        _ => Sender::Raw,
    };
    let doubt = Leaving { sender, source_routed: route.is_some() }.doubt()?;
    let flow = Outbound {
        protocol,
        source,
        destination,
        port,
        owner: owner(skb, socket.filter(|_| sender == Sender::Member), pod),
        mark: field!(skb, mark),
        interface: field!(skb, ifindex),
    };
    match rules::outbound_packet(pod, &flow) {
        Some(verdict) if verdict.action == Action::Pass => None,
        _ => Some(doubt),
    }
}

/// Which owner matches the packet's socket satisfies.
#[inline(always)]
fn owner(skb: *mut __sk_buff, member: Option<Socket>, pod: Pod<'_>) -> Owner {
    if let Some(member) = member {
        return Pod::owner(member);
    }
    match sender::credentials(skb) {
        Some((uid, gid)) => Owner::classify(uid, gid, pod.policy, &pod),
        None => Owner::APPLICATION, // no owner match is satisfied without a file
    }
}
