// SPDX-License-Identifier: Apache-2.0 OR MIT
use interceptor_policy::{Address, AddressClass, Tables as _};

use crate::{
    maps::PROXY_SOCKETS,
    pod::Pod,
    user_address::{Family, UserAddress},
};

/// The only answer the kernel accepts from these programs: the name stands as it now is in the context.
const DONE: i32 = 1;

/// `getpeername()` and `accept()`: the application is shown what it dialled, the sidecar who dialled.
#[inline(always)]
pub(crate) fn peer<F: Family>(user: &UserAddress<'_, F>) -> i32 {
    let peer = user.address();
    if !peer.is_loopback() {
        return DONE; // not one of ours: redirected connections have a loopback peer, or a sidecar's true one
    }
    let Some(pod) = Pod::of(user.as_ptr()) else {
        return DONE; // not enrolled
    };
    if let Some(remote) = pod.slot_in(peer, user.port()) {
        // A forgotten slot is counted; the name then shows the loopback address, which misleads nobody into trusting it.
        if let Some(dialled) = pod.destination(remote.slot) {
            user.set_address(dialled.address);
            user.set_port(dialled.port);
        }
    } else if peer.same(Address::LOOPBACK_V4)
        && let Some(socket) = user.socket()
        && let Some(local) = pod.slot_in(socket.local_address(), socket.local_port())
        && local.source_is_pod
    {
        user.set_address(pod.policy.pod_v4);
    }
    DONE
}

/// `getsockname()`: both sides are shown what REDIRECT would have made of the local address.
#[inline(always)]
pub(crate) fn local<F: Family>(user: &UserAddress<'_, F>) -> i32 {
    let Some(socket) = user.socket() else {
        return DONE; // the context of these programs always has a socket
    };
    let peer_port = socket.peer_port();
    if peer_port == 0 {
        return DONE; // not connected: nothing was redirected
    }
    let local = user.address();
    if local.same(Address::LOOPBACK_V4) {
        // Only a connecting socket that was bound to a port, and not to an address, is shown anything else.
        if let Some(pod) = Pod::of(user.as_ptr())
            && let Some(peer) = pod.slot_in(socket.peer_address(), peer_port)
            && peer.source_is_pod
        {
            user.set_address(pod.policy.pod_v4);
        }
        return DONE;
    }
    let Some(listener) = PROXY_SOCKETS.get(socket) else {
        return DONE; // not accepted by the sidecar
    };
    let Some(pod) = Pod::of(user.as_ptr()) else {
        return DONE; // not enrolled (any more)
    };
    if pod.slot_in(local, user.port()).is_some() {
        user.set_address(Address::LOOPBACK_V4);
    } else if !pod.address(socket.peer_address()).has(AddressClass::LOCAL) {
        // It came from outside: REDIRECT picks the first address of the interface, and the sidecar's port.
        user.set_address(pod.primary_of(local));
        user.set_port(crate::socket::low_half(listener.port));
    }
    DONE
}
