// SPDX-License-Identifier: Apache-2.0 OR MIT
//! How a DNS question over UDP gets to the agent. (DNS over TCP is redirected like any connection.) No query is parsed.
//!
//! The agent listens on a loopback address only, and `sk_lookup` has no socket of the agent that it could choose. So
//! questions go to that address itself, and the server that was asked is kept with the socket, in [`DNS_SERVERS`].
//!
//! A socket that asks a *second* server sends that question from a slot address. The slot holds the server. The agent
//! answers to the slot address, the answer gets the same address as its source, and the application is shown the server
//! in the slot. A socket that is bound to an address cannot receive such an answer: it is shown the server that it
//! asked last.

use interceptor_policy::{Address, AskedServer, Destination, Outbound, Reason};

use crate::{
    agent_socket::is_held_by_another,
    family::Family,
    maps::DNS_SERVERS,
    outcome::{ALLOW, refuse},
    pod::Pod,
    source::source_under_iptables,
    trace::Seen,
    user_address::UserAddress,
};

/// Connects a UDP socket to the agent, instead of a server whose questions are captured.
#[inline(always)]
pub(crate) fn connect<F: Family>(user: &UserAddress<'_, F>, pod: Pod<'_>, flow: &Outbound) -> i32 {
    let server = Destination::new(flow.destination, flow.port);
    let Some(socket) = user.socket() else {
        return refuse(); // fail closed; the context always has a socket
    };
    if is_held_by_another(user, flow.destination.loopback(), pod.policy.dns_port) {
        return refuse_other(pod, flow);
    }
    let source = source_under_iptables(pod, flow, Reason::DnsCaptured);
    // A socket with a port of its own keeps its loopback source; the agent does not care.
    let source_is_pod = !source.is_unspecified() && !user.bind(source);
    if !DNS_SERVERS.replace(socket, AskedServer { server, source_is_pod: source_is_pod.into() }) {
        Seen::dialed(flow).count(pod, Reason::NoSlot);
        return refuse(); // fail closed: no memory to keep the server
    }
    to_agent(user, pod, flow.destination)
}

/// Notes that a UDP socket was connected to the agent by hand: it is not to be shown the server that it asked before.
#[inline(always)]
pub(crate) fn connect_by_hand<F: Family>(user: &UserAddress<'_, F>, agent: Destination) {
    // A socket that never asked a captured server is shown the agent anyway.
    if let Some(asked) = user.socket().and_then(|socket| DNS_SERVERS.get_ptr(socket)) {
        // SAFETY: the value lives as long as the socket, and a system call is using the socket.
        let server = unsafe { &raw mut (*asked.as_ptr()).server };
        // SAFETY: as above. The program may write the value.
        unsafe { server.write(agent) };
    }
}

/// Refuses a question that would go to a socket which the sidecar did not make.
#[inline(always)]
pub(crate) fn refuse_other(pod: Pod<'_>, flow: &Outbound) -> i32 {
    Seen::dialed(flow).count(pod, Reason::ForeignDnsAgent);
    refuse() // fail closed: somebody else would answer in the server's name
}

/// Sends to the agent, on the loopback address of the same family as `destination`.
#[inline(always)]
pub(crate) fn to_agent<F: Family>(user: &UserAddress<'_, F>, pod: Pod<'_>, destination: Address) -> i32 {
    user.set_address(destination.loopback());
    user.set_port(pod.policy.dns_port);
    ALLOW
}
