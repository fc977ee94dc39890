// SPDX-License-Identifier: Apache-2.0 OR MIT
//! DNS over UDP: `sendto()` and `recvfrom()` with an address. `dns_agent.rs` says how questions and answers travel. No
//! query is parsed.

use interceptor_policy::{
    Action, Address, AskedServer, Destination, LOOPBACK_INTERFACE, Outbound, Protocol, Reason, SlotAddress,
};

use crate::{
    agent_socket::is_held_by_another,
    asked_server::{first_asked, server_behind},
    dns_agent::{refuse_other, to_agent},
    family::Family,
    maps::DNS_SERVERS,
    outcome::{ALLOW, DONE, EADDRNOTAVAIL, fail_with, refuse},
    pod::Pod,
    reserved::is_reserved,
    rules,
    socket::Socket,
    trace::Seen,
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
    if is_reserved(user.message_source()) {
        // A datagram from a slot would be taken for an answer of the agent. (`bind()` refuses such an address; the
        // message names it, or the socket was bound before the pod was enrolled.)
        Seen::dialed(&flow).count(pod, Reason::SlotAsSource);
        return fail_with(EADDRNOTAVAIL);
    }
    if (dialed.is_unspecified() && port == 0) || pod.is_agent(dialed, port) {
        let is_connected = server_behind(pod, socket, socket.peer_address(), socket.peer_port()).is_some();
        if is_connected {
            // The message has no address: it names something else, or the kernel sends it as an IPv4 message because
            // its IPv6 socket is connected to an IPv4-mapped address.
            keep_source(user, source);
            return ALLOW; // connect() has decided
        }
    }
    let Some(verdict) = rules::outbound(pod, &flow) else {
        return refuse(); // fail closed; the rules always return a verdict
    };
    match verdict.action {
        Action::Pass if protocol == Protocol::Udp && !owner.is_proxy() && pod.is_agent(flow.destination, port) => {
            ask_agent(user, pod, socket, &flow)
        }
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
    if !(source.same(source.loopback()) || slot_address.is_some()) {
        return DONE; // the agent sends from no other address
    }
    let Some(pod) = Pod::of(user.as_ptr()) else {
        return DONE; // the pod is not enrolled, or not any longer
    };
    if port != pod.policy.dns_port {
        return DONE; // another port than the agent's
    }
    let Some(first) = user.socket().and_then(first_asked) else {
        return DONE; // the socket never asked the agent
    };
    let server = match slot_address {
        Some(slot_address) => pod.destination(slot_address.slot),
        None => Some(first),
    };
    if let Some(server) = server {
        user.set_address(server.address);
        user.set_port(server.port);
    }
    DONE
}

/// Sets the source of the message, unless the application has chosen one.
///
/// A message that names an interface (`IP_PKTINFO`) leaves its source to the kernel, even if its socket is bound to an
/// address. Toward the agent the kernel would choose a loopback address, to which such a socket does not listen.
#[inline(always)]
fn keep_source<F: Family>(user: &UserAddress<'_, F>, source: Address) {
    if user.message_source().is_unspecified() {
        user.set_message_source(source);
    }
}

/// Sends a question to the agent, instead of the server that it is for.
#[inline(always)]
fn ask<F: Family>(user: &UserAddress<'_, F>, pod: Pod<'_>, socket: Socket, flow: &Outbound) -> i32 {
    if flow.interface > LOOPBACK_INTERFACE {
        // The agent's answer would arrive at `lo`, and the kernel gives it to no socket that is bound elsewhere.
        Seen::dialed(flow).count(pod, Reason::DnsBoundToInterface);
        return refuse();
    }
    if is_held_by_another(user, flow.destination.loopback(), pod.policy.dns_port) {
        return refuse_other(pod, flow);
    }
    if !remember(user, pod, socket, flow) {
        Seen::dialed(flow).count(pod, Reason::NoSlot);
        return refuse(); // fail closed: nothing would remember the server
    }
    to_agent(user, pod, flow.destination)
}

/// Lets a question go that is for the agent itself, so that its answer is shown as the agent's.
#[inline(always)]
fn ask_agent<F: Family>(user: &UserAddress<'_, F>, pod: Pod<'_>, socket: Socket, flow: &Outbound) -> i32 {
    if remember(user, pod, socket, flow) {
        ALLOW
    } else {
        Seen::dialed(flow).count(pod, Reason::NoSlot);
        refuse() // fail closed: the answer would be shown as another server's
    }
}

/// Remembers which server the answer is from: the first server that a socket asks with the socket, every other in a
/// slot. False if there is no room.
///
/// The question to the first server comes from loopback. The pod's address, from which it would come under iptables,
/// may be gone since the pod was enrolled; no helper tells, and the question could not be sent.
#[inline(always)]
fn remember<F: Family>(user: &UserAddress<'_, F>, pod: Pod<'_>, socket: Socket, flow: &Outbound) -> bool {
    let server = Destination::new(flow.destination, flow.port);
    let Some(first) = DNS_SERVERS.get_or_insert(socket, AskedServer { server, source_is_pod: 0 }) else {
        return false;
    };
    if !flow.source.is_unspecified() {
        // The socket is bound to an address, so it asks every server from there, and the last server is kept.
        // SAFETY: the value lives as long as the socket, and a system call is using the socket.
        let last = unsafe { &raw mut (*first.as_ptr()).server };
        // SAFETY: as above, and the program may write the value. If two threads ask at once, either of them may be the
        // last.
        unsafe { last.write(server) };
        keep_source(user, flow.source);
        return true;
    }
    // SAFETY: as above.
    if unsafe { first.as_ref() }.server.same(&server) {
        keep_source(user, flow.destination.loopback());
        return true;
    }
    let Some(slot) = pod.take_slot(server) else {
        return false;
    };
    user.set_message_source(SlotAddress { slot, source_is_pod: true, transparent: false }.encode(flow.destination));
    true
}
