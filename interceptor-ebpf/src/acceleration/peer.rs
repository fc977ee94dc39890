// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The other end of a connection: in which pod it is, and what it has published about itself. Nothing here changes it.

use interceptor_policy::{
    Address, AddressClass, Tables as _,
    acceleration::{Handshake, SocketState},
};

use crate::{
    maps::{HANDSHAKES, LOCAL_PODS},
    pod::Pod,
};

/// What the other end has published, if anything.
#[inline(always)]
pub(super) fn handshake_of_peer(state: &SocketState) -> Option<Handshake> {
    let handshake = HANDSHAKES.get_ptr(state.key.reversed(state.peer_netns_cookie))?;
    // SAFETY: a recycled entry would hold the handshake of another connection, whose sequence numbers do not match.
    Some(unsafe { handshake.read() })
}

/// Whether the pod itself has the address.
#[inline(always)]
pub(super) fn is_own(pod: Pod<'_>, remote: Address) -> bool {
    remote.is_loopback() || remote.same(Address::PASSTHROUGH_V6) || pod.address(remote).has(AddressClass::LOCAL)
}

/// The accelerated pod of this node that has the address, if exactly one does.
#[inline(always)]
pub(super) fn pod_at(remote: Address) -> Option<u64> {
    let cookie = LOCAL_PODS.get_ptr(remote)?;
    // SAFETY: a recycled entry may name another pod. No socket of that pod has a handshake that matches.
    Some(unsafe { cookie.read() })
}
