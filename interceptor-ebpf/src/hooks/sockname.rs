// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `getpeername()`, `getsockname()` and the address that `accept()` returns: shows both ends of a redirected connection
//! the addresses that they would see under iptables. The connection itself is not touched.

use interceptor_policy::{
    Action, Address, AddressClass, AskedServer, Inbound, PolicyFlags, Protocol, SlotAddress, Tables as _,
};

use crate::{
    asked_server::server_behind, family::Family, maps::PROXY_SOCKETS, outcome::DONE, pod::Pod, rules, socket::low_half,
    source::source_toward, user_address::UserAddress,
};

/// `getpeername()` and `accept()`: the application is shown what it dialed, the sidecar who dialed.
#[inline(always)]
pub(crate) fn peer_name<F: Family>(user: &UserAddress<'_, F>) -> i32 {
    let (peer, port) = (user.address(), user.port());
    if SlotAddress::decode(peer).is_some() {
        let Some(pod) = Pod::of(user.as_ptr()) else {
            return DONE; // not enrolled (any more)
        };
        // A forgotten slot is counted; the name then shows the slot's own address, which misleads nobody into trusting
        // it.
        if let Some(remote) = pod.slot_in(peer, port)
            && let Some(dialed) = pod.destination(remote.slot)
        {
            user.set_address(dialed.address);
            user.set_port(dialed.port);
        }
    } else if peer.is_loopback()
        && let Some(socket) = user.socket()
        && let Some(pod) = Pod::of(user.as_ptr())
        && let Some(AskedServer { server, source_is_pod: _ }) = server_behind(pod, socket, peer, port)
    {
        user.set_address(server.address);
        user.set_port(server.port);
    } else if let Some(socket) = user.socket()
        && let Some(local) = SlotAddress::decode(socket.local_address())
        && local.source_is_pod
        && let Some(pod) = Pod::of(user.as_ptr())
        && pod.policy.is_proxy_port(socket.local_port())
    {
        user.set_address(source_of_slot(pod, local, peer));
    }
    DONE
}

/// `getsockname()`: both sides are shown what REDIRECT would have made of the local address, or what TPROXY leaves as
/// it is.
#[inline(always)]
pub(crate) fn local_name<F: Family>(user: &UserAddress<'_, F>) -> i32 {
    let Some(socket) = user.socket() else {
        return DONE; // the context of these programs always has a socket
    };
    let peer_port = socket.peer_port();
    if peer_port == 0 {
        return DONE; // not connected: nothing was redirected
    }
    let local = user.address();
    if let Some(peer) = SlotAddress::decode(socket.peer_address()) {
        // The application's end. Only a socket that was bound to a port, and not to an address, has a source of its
        // own.
        if peer.source_is_pod
            && let Some(pod) = Pod::of(user.as_ptr())
            && pod.policy.is_proxy_port(peer_port)
        {
            user.set_address(source_of_slot(pod, peer, local));
        }
        return DONE;
    }
    if SlotAddress::decode(local).is_some() {
        if let Some(pod) = Pod::of(user.as_ptr())
            && let Some(accepted) = pod.slot_in(local, user.port())
        {
            show_accepted_slot(user, pod, accepted);
        }
        return DONE;
    }
    let Some(listener) = PROXY_SOCKETS.get(socket) else {
        // Not accepted on the sidecar's inbound port. One that asks the agent, and was bound to a port and not to an
        // address, is shown the source that it would have had.
        if local.is_loopback()
            && let Some(pod) = Pod::of(user.as_ptr())
            && let Some(AskedServer { server, source_is_pod: 1 }) =
                server_behind(pod, socket, socket.peer_address(), peer_port)
        {
            user.set_address(source_toward(pod, server.address));
        }
        return DONE;
    };
    let Some(pod) = Pod::of(user.as_ptr()) else {
        return DONE; // not enrolled (any more)
    };
    if !pod.policy.has(PolicyFlags::TPROXY)
        && !pod.address(socket.peer_address()).has(AddressClass::LOCAL)
        && (user.port() != low_half(listener.port) || is_intercepted(pod, socket.peer_address(), local, user.port()))
    {
        // It came from outside: REDIRECT picks the first address of the interface, and the sidecar's port.
        user.set_address(pod.primary_of(local));
        user.set_port(low_half(listener.port));
    }
    DONE
}

/// The local address of what was accepted on a slot; only the sidecar accepts there.
#[inline(always)]
fn show_accepted_slot<F: Family>(user: &UserAddress<'_, F>, pod: Pod<'_>, accepted: SlotAddress) {
    if !accepted.transparent {
        user.set_address(user.address().loopback());
    } else if let Some(destination) = pod.destination(accepted.slot) {
        user.set_address(destination.address);
        user.set_port(destination.port);
    }
    // A forgotten slot is counted; the name then shows the slot's own address, as to getpeername().
}

/// The source that a connection to the slot's destination would have had.
#[inline(always)]
fn source_of_slot(pod: Pod<'_>, slot_address: SlotAddress, like: Address) -> Address {
    pod.destination(slot_address.slot)
        .map_or_else(|| pod.policy.pod_address(like), |to| source_toward(pod, to.address))
}

/// Whether a connection from outside to the very port that the sidecar listens on was redirected there; else it was let
/// through.
#[inline(always)]
fn is_intercepted(pod: Pod<'_>, source: Address, destination: Address, port: u16) -> bool {
    let flow = Inbound { protocol: Protocol::Tcp, source, destination, port, interface: 0 };
    !matches!(rules::inbound(pod, flow).action, Action::Pass)
}
