// SPDX-License-Identifier: Apache-2.0 OR MIT
//! DNS over UDP: `sendto()` and `recvfrom()` with an address. `dns_agent.rs` says how questions and answers travel. No
//! query is parsed.

use interceptor_policy::{Action, AskedServer, Destination, Outbound, Protocol, Reason, SlotAddress};

use crate::{
    asked_server::first_asked,
    dns_agent::to_agent,
    family::Family,
    maps::DNS_SERVERS,
    outcome::{ALLOW, DONE, fail_with, refuse},
    pod::Pod,
    rules,
    socket::Socket,
    source::source_under_iptables,
    user_address::UserAddress,
};

/// `sendto()` and `sendmsg()` with an address: sends a question to the agent if it is captured.
#[inline(always)]
pub(crate) fn send<F: Family>(user: &UserAddress<'_, F>) -> i32 {
    let Some(pod) = Pod::of(user.as_ptr()) else {
        return ALLOW; // the pod is not enrolled, so nothing is intercepted
    };
    let Some(socket) = user.socket() else {
        return refuse(); // fail closed; the context always has a socket
    };
    let (source, dialed, port) = (socket.local_address(), user.address(), user.port());
    let owner = Pod::owner(socket);
    if owner.is_proxy() && socket.local_port() == pod.policy.dns_port && SlotAddress::decode(dialed).is_some() {
        // The agent answers a question that came from a slot address. The answer comes from the same address.
        user.set_message_source(dialed);
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
        return refuse(); // fail closed; the rules always return a verdict
    };
    match verdict.action {
        // No rule redirects datagrams to the other ports.
        Action::Pass | Action::RedirectOutbound | Action::RedirectInbound => ALLOW,
        Action::RedirectDns => ask(user, pod, socket, &flow),
        Action::Fail(error) => fail_with(error.errno()),
    }
}

/// `recvfrom()` and `recvmsg()` that ask for the sender's address: shows the server that was asked, instead of the
/// agent.
#[inline(always)]
pub(crate) fn receive<F: Family>(user: &UserAddress<'_, F>) -> i32 {
    let (source, port) = (user.address(), user.port());
    let slot_address = SlotAddress::decode(source);
    if !(source.is_loopback() || slot_address.is_some()) {
        return DONE; // the agent sends from no other address
    }
    let Some(pod) = Pod::of(user.as_ptr()) else {
        return DONE; // the pod is not enrolled, or not any longer
    };
    if port != pod.policy.dns_port {
        return DONE; // another port than the agent's
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

/// Sends a question to the agent. The first server that a socket asks is kept with the socket, every other in a slot.
#[inline(always)]
fn ask<F: Family>(user: &UserAddress<'_, F>, pod: Pod<'_>, socket: Socket, flow: &Outbound) -> i32 {
    let server = Destination::new(flow.destination, flow.port);
    let Some(first) = DNS_SERVERS.get_or_insert(socket, AskedServer { server, source_is_pod: 0 }) else {
        pod.count(Reason::NoSlot);
        return refuse(); // fail closed: no memory to keep the server
    };
    // SAFETY: the value lives as long as the socket, and a system call is using the socket.
    let is_first = unsafe { first.as_ref() }.server.same(&server);
    if !flow.source.is_unspecified() {
        // The socket is bound to an address, so it asks every server from there, and the last server is kept.
        // SAFETY: as above. The program may write the value.
        let last = unsafe { &raw mut (*first.as_ptr()).server };
        // SAFETY: as above. If two threads ask at once, either of them may be the last.
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
        return refuse(); // fail closed: nothing would remember the server
    }
    to_agent(user, pod, flow.destination)
}
