// SPDX-License-Identifier: Apache-2.0 OR MIT
//! DNS over UDP: `sendto()` and `recvfrom()` with an address. `dns_agent.rs` says how questions and answers travel.

use interceptor_policy::{Action, AskedServer, Destination, Outbound, Protocol, Reason, SlotAddress};

use crate::{
    asked_server::first_asked,
    dns_agent::to_agent,
    family::Family,
    maps::DNS_SERVERS,
    outcome::{ALLOW, DONE, refuse},
    pod::Pod,
    rules,
    socket::Socket,
    source::source_under_iptables,
    user_address::UserAddress,
};

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
    } else if let Some(slot) = pod.take_slot(server) {
        user.set_message_source(SlotAddress { slot, source_is_pod: true, transparent: false }.encode(flow.destination));
    } else {
        pod.count(Reason::NoSlot);
        return refuse();
    }
    to_agent(user, pod, flow.destination)
}
