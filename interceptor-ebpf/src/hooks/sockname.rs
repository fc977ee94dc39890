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

/// `getpeername()` and `accept()`: shows the application the address that it dialed, and the sidecar the address of the
/// application.
#[inline(always)]
pub(crate) fn peer_name<F: Family>(user: &UserAddress<'_, F>) -> i32 {
    let (peer, port) = (user.address(), user.port());
    if SlotAddress::decode(peer).is_some() {
        let Some(pod) = Pod::of(user.as_ptr()) else {
            return DONE; // the pod is not enrolled, or not any longer
        };
        // If the slot is forgotten, that is counted, and the application sees the slot's own address. Nobody takes that
        // for a real destination.
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

/// `getsockname()`: shows both ends the local address that REDIRECT would give them, or that TPROXY would leave as it
/// is.
#[inline(always)]
pub(crate) fn local_name<F: Family>(user: &UserAddress<'_, F>) -> i32 {
    let Some(socket) = user.socket() else {
        return DONE; // the context of these programs always has a socket
    };
    let peer_port = socket.peer_port();
    if peer_port == 0 {
        return DONE; // the socket is not connected, so nothing was redirected
    }
    let local = user.address();
    if let Some(peer) = SlotAddress::decode(socket.peer_address()) {
        // This is the application's end. Its address is wrong only if the application has bound the socket to a port
        // and not to an address.
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
        // The sidecar did not accept this socket on its inbound port. If it is a UDP socket that asks the agent, and
        // the application has bound it to a port and not to an address, show the source that it would have had.
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
        return DONE; // the pod is not enrolled, or not any longer
    };
    if !pod.policy.has(PolicyFlags::TPROXY)
        && !pod.address(socket.peer_address()).has(AddressClass::LOCAL)
        && (user.port() != low_half(listener.port) || is_intercepted(pod, socket.peer_address(), local, user.port()))
    {
        // The connection came from outside and was redirected. REDIRECT picks the first address of the interface, and
        // the sidecar's port.
        user.set_address(pod.primary_of(local));
        user.set_port(low_half(listener.port));
    }
    DONE
}

/// Shows the sidecar the local address of a connection that it accepted on a slot. Only the sidecar accepts there.
#[inline(always)]
fn show_accepted_slot<F: Family>(user: &UserAddress<'_, F>, pod: Pod<'_>, accepted: SlotAddress) {
    if !accepted.transparent {
        user.set_address(user.address().loopback());
    } else if let Some(destination) = pod.destination(accepted.slot) {
        user.set_address(destination.address);
        user.set_port(destination.port);
    }
    // If the slot is forgotten, that is counted, and the sidecar sees the slot's own address, as with getpeername().
}

/// The source that a connection to the slot's destination would have had.
#[inline(always)]
fn source_of_slot(pod: Pod<'_>, slot_address: SlotAddress, like: Address) -> Address {
    pod.destination(slot_address.slot)
        .map_or_else(|| pod.policy.pod_address(like), |to| source_toward(pod, to.address))
}

/// Whether the rules redirect a connection from outside. A connection to the very port on which the sidecar listens may
/// also have passed.
#[inline(always)]
fn is_intercepted(pod: Pod<'_>, source: Address, destination: Address, port: u16) -> bool {
    let flow = Inbound { protocol: Protocol::Tcp, source, destination, port, interface: 0 };
    !matches!(rules::inbound(pod, flow).action, Action::Pass)
}
