// SPDX-License-Identifier: Apache-2.0 OR MIT
//! DNS over UDP. (DNS over TCP is redirected like any connection.)
//!
//! The agent answers on a loopback address only, so questions go to that address itself, and the server that was asked
//! is kept with the socket: [`DNS_SERVERS`]. A socket that asks *another* server as well sends to it from a slot
//! address. The agent's answer goes back to that address, from which it is given the same address as its source, and
//! the application is shown the server in that slot. A socket that is bound to an address would not hear that answer;
//! it is shown the server that it asked last.

use interceptor_policy::{Action, Address, AskedServer, Destination, Outbound, Protocol, Reason, SlotAddress};

use super::connect::{ALLOW, refuse, source_under_iptables, take_slot};
use crate::{
    maps::DNS_SERVERS,
    pod::Pod,
    rules,
    socket::Socket,
    user_address::{Family, UserAddress},
};

/// The only answer that the kernel accepts after a message was received.
const DONE: i32 = 1;

/// `connect()` to a server whose questions are captured.
#[inline(always)]
pub(crate) fn connect<F: Family>(user: &UserAddress<'_, F>, pod: Pod<'_>, flow: &Outbound) -> i32 {
    let server = Destination::new(flow.destination, flow.port);
    let Some(socket) = user.socket() else {
        return refuse(); // the context always has a socket
    };
    let source = source_under_iptables(pod, flow, Reason::DnsCaptured);
    // A socket with a port of its own keeps its loopback source; the agent does not care.
    let source_is_pod = !source.is_unspecified() && !user.bind(source);
    if !DNS_SERVERS.replace(socket, AskedServer { server, source_is_pod: source_is_pod.into() }) {
        pod.count(Reason::NoSlot);
        return refuse(); // nowhere to remember the server
    }
    to_agent(user, pod, flow.destination)
}

/// `sendto()` and `sendmsg()` with an address.
#[inline(always)]
pub(crate) fn send<F: Family>(user: &UserAddress<'_, F>) -> i32 {
    let Some(pod) = Pod::of(user.as_ptr()) else {
        return ALLOW; // not enrolled
    };
    let Some(socket) = user.socket() else {
        return refuse(); // the context always has a socket
    };
    let (source, dialed, port) = (socket.local_address(), user.address(), user.port());
    let owner = Pod::owner(socket);
    if owner.is_proxy() && socket.local_port() == pod.policy.dns_port && SlotAddress::decode(dialed).is_some() {
        user.set_message_source(dialed); // the agent answers one of those that asked from a slot
        return ALLOW;
    }
    let protocol = Protocol::from_number(user.protocol());
    let flow = Outbound {
        protocol,
        source,
        destination: dialed.as_reached_from(source),
        port,
        owner,
        mark: socket.mark(),
        interface: socket.bound_interface(),
    };
    let Some(verdict) = rules::outbound(pod, &flow) else {
        return refuse(); // the rules always say something
    };
    match verdict.action {
        // No rule redirects datagrams to the other ports.
        Action::Pass | Action::RedirectOutbound | Action::RedirectInbound => ALLOW,
        Action::RedirectDns => ask(user, pod, socket, &flow),
        Action::Refuse => refuse(),
    }
}

/// `recvfrom()` and `recvmsg()` with room for an address: the answer comes from the server that was asked.
#[inline(always)]
pub(crate) fn receive<F: Family>(user: &UserAddress<'_, F>) -> i32 {
    let (source, port) = (user.address(), user.port());
    let slot_address = SlotAddress::decode(source);
    if !(source.is_loopback() || slot_address.is_some()) {
        return DONE; // not from the agent
    }
    let Some(pod) = Pod::of(user.as_ptr()) else {
        return DONE; // not enrolled (any more)
    };
    if port != pod.policy.dns_port {
        return DONE; // not from the agent
    }
    let server = match slot_address {
        Some(slot_address) => pod.destination(slot_address.slot),
        None => user.socket().and_then(first_asked),
    };
    if let Some(server) = server {
        user.set_address(server.address);
        user.set_port(server.port);
    }
    DONE
}

/// The server that a connected socket asks, if `peer` and `port` are the agent's.
#[inline(always)]
pub(crate) fn server_behind(pod: Pod<'_>, socket: Socket, peer: Address, port: u16) -> Option<AskedServer> {
    if peer.is_loopback() && port == pod.policy.dns_port && Protocol::from_number(socket.protocol()) == Protocol::Udp {
        DNS_SERVERS.get(socket)
    } else {
        None
    }
}

/// The server that a socket has asked by way of the agent, if it ever did.
#[inline(always)]
pub(crate) fn first_asked(socket: Socket) -> Option<Destination> {
    DNS_SERVERS.get(socket).map(|asked| asked.server)
}

/// Whether a socket asks from loopback only because it has a port of its own, and no address.
#[inline(always)]
pub(crate) fn source_is_pod(socket: Socket) -> bool {
    DNS_SERVERS.get(socket).is_some_and(|asked| asked.source_is_pod == 1)
}

#[inline(always)]
fn ask<F: Family>(user: &UserAddress<'_, F>, pod: Pod<'_>, socket: Socket, flow: &Outbound) -> i32 {
    let server = Destination::new(flow.destination, flow.port);
    let Some(first) = DNS_SERVERS.get_or_insert(socket, AskedServer { server, source_is_pod: 0 }) else {
        pod.count(Reason::NoSlot);
        return refuse(); // nowhere to remember the server
    };
    // SAFETY: the value lives as long as the socket, whose owner is in a system call on it.
    let is_first = unsafe { first.as_ref() }.server.same(&server);
    if !flow.source.is_unspecified() {
        // SAFETY: as above; the program may write it.
        let last = unsafe { &raw mut (*first.as_ptr()).server };
        // SAFETY: as above; of two threads that ask at once, either may be the last.
        unsafe { last.write(server) };
    } else if is_first {
        let source = source_under_iptables(pod, flow, Reason::DnsCaptured);
        if !source.is_unspecified() {
            user.set_message_source(source);
        }
    } else if let Some(slot) = take_slot(pod, server) {
        user.set_message_source(SlotAddress { slot, source_is_pod: true, transparent: false }.encode(flow.destination));
    } else {
        pod.count(Reason::NoSlot);
        return refuse();
    }
    to_agent(user, pod, flow.destination)
}

#[inline(always)]
fn to_agent<F: Family>(user: &UserAddress<'_, F>, pod: Pod<'_>, destination: Address) -> i32 {
    user.set_address(destination.loopback());
    user.set_port(pod.policy.dns_port);
    ALLOW
}
