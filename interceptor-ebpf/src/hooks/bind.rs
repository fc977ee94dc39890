// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `bind()`: keeps everybody off the addresses that only redirection uses, and off the DNS agent's place. Whoever had
//! such an address could be taken for a connection that we redirected, or for the agent. `bpf_bind()` does not pass
//! through here, so the programs themselves bind what they like.

use interceptor_policy::{Address, Direction, Outbound, Owner, PolicyFlags, Protocol, Reason};

use crate::{
    family::Family,
    outcome::{ALLOW, EADDRINUSE, EADDRNOTAVAIL, fail_with},
    pod::Pod,
    reserved::is_reserved,
    trace::Seen,
    user_address::UserAddress,
};

/// Refuses what nobody may bind to.
#[inline(always)]
pub(crate) fn bind<F: Family>(user: &UserAddress<'_, F>) -> i32 {
    let Some(pod) = Pod::of(user.as_ptr()) else {
        return ALLOW; // the pod is not enrolled, so nothing is redirected
    };
    let address = user.address();
    if is_reserved(address) {
        count(user, pod, Reason::SlotAsSource);
        return fail_with(EADDRNOTAVAIL);
    }
    if is_place_of_agent(user, pod, address) && !user.socket().is_some_and(|socket| Pod::owner(socket).is_proxy()) {
        // The error is the one that the agent causes while it runs.
        count(user, pod, Reason::ForeignDnsAgent);
        return fail_with(EADDRINUSE);
    }
    ALLOW
}

#[inline(always)]
fn count<F: Family>(user: &UserAddress<'_, F>, pod: Pod<'_>, reason: Reason) {
    let source = user.address();
    let flow = Outbound {
        source,
        destination: source.unspecified(),
        owner: Owner::APPLICATION,
        mark: 0,
        interface: 0,
        port: 0,
        protocol: Protocol::from_number(user.protocol()),
    };
    Seen { direction: Direction::Bind, flow: &flow, source_port: user.port() }.count(pod, reason);
}

/// Whether a socket that is bound to `address` gets questions that were meant for the agent. (Connections to the agent
/// are given to sockets of the sidecar only, so TCP is of no concern.)
#[inline(always)]
fn is_place_of_agent<F: Family>(user: &UserAddress<'_, F>, pod: Pod<'_>, address: Address) -> bool {
    user.port() == pod.policy.dns_port
        && pod.policy.has(PolicyFlags::DNS)
        && Protocol::from_number(user.protocol()) == Protocol::Udp
        && (address.is_unspecified() || address.same(address.loopback()))
}
