// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Source addresses: the one that a redirected connection would have under iptables, and the one that the application
//! chose. No program binds a socket here; the only change is to undo an earlier bind of ours.

use aya_ebpf::btf_maps::lpm_trie::Key;
use interceptor_policy::{
    Address, AddressClass, AddressKey, DNS_SERVICE_PORT, Outbound, PolicyFlags, Reason, SlotAddress, Tables as _,
};

use crate::{
    asked_server,
    family::Family,
    maps::{PRIMARY_ADDRS, SOURCE_ADDRS},
    pod::Pod,
    socket::Socket,
    user_address::UserAddress,
};

/// The address that the application has bound its socket to, or [`Family::UNBOUND`].
///
/// A socket that was connected before may still be bound to the source that we chose for that connection. Then this
/// function unbinds it. (If the application had chosen the same source, it is unbound as well.)
#[inline(always)]
pub(crate) fn chosen_source<F: Family>(user: &UserAddress<'_, F>, pod: Pod<'_>, socket: Socket) -> Address {
    let source = socket.local_address();
    if source.is_unspecified() {
        return source;
    }
    // The kernel leaves the peer's address in a TCP socket after its connection ended. It does not in a UDP socket, but
    // there the map of asked servers tells.
    let before = SlotAddress::decode(socket.peer_address());
    if socket.local_port() != 0 {
        // A socket that has a port cannot be unbound. If it had no address, we connected it from loopback, and it stays
        // there.
        let source_is_pod = before.map_or_else(
            || asked_server::source_is_pod(socket),
            |slot_address| slot_address.source_is_pod,
        );
        return if source_is_pod && source.is_loopback() { F::UNBOUND } else { source };
    }
    let before = match before {
        Some(slot_address) => pod.destination(slot_address.slot),
        None => asked_server::first_asked(socket),
    };
    match before {
        Some(before) if source_toward(pod, before.address).same(source) && user.unbind() => F::UNBOUND,
        _ => source,
    }
}

/// The source address to give to a connection that uses loopback only because we send it there. Unspecified if the
/// application has chosen a source, or if loopback is right.
#[inline(always)]
pub(crate) fn source_under_iptables(pod: Pod<'_>, flow: &Outbound, reason: Reason) -> Address {
    if !flow.source.is_unspecified() {
        return Address::UNSPECIFIED_V4;
    }
    if flow.destination.is_loopback() {
        // Toward all of 127.0.0.0/8 the kernel chooses 127.0.0.1. Toward the IPv6 slots it may choose any local
        // address.
        return if flow.destination.is_v4() {
            Address::UNSPECIFIED_V4
        } else {
            Address::LOOPBACK_V6
        };
    }
    // No other redirected connection is to an address of the pod.
    let may_be_to_own_address = pod.policy.has(PolicyFlags::LOOPBACK_INCLUDED)
        || (pod.policy.has(PolicyFlags::DNS) && flow.port == DNS_SERVICE_PORT);
    let to_own_address = matches!(reason, Reason::ProxyToOwnPod | Reason::ProxyToOwnPodTransparently)
        || (may_be_to_own_address && pod.address(flow.destination).has(AddressClass::LOCAL));
    if to_own_address {
        pod.source_toward_own(flow.destination)
    } else {
        pod.source_by_route(flow.destination)
    }
}

/// The source that the kernel would choose for a connection to `destination`.
#[inline(always)]
pub(crate) fn source_toward(pod: Pod<'_>, destination: Address) -> Address {
    if pod.address(destination).has(AddressClass::LOCAL) {
        pod.source_toward_own(destination)
    } else {
        pod.source_by_route(destination)
    }
}

impl Pod<'_> {
    /// The source that the kernel would choose for a connection to `destination`, which is not an address of the pod.
    #[inline(always)]
    fn source_by_route(self, destination: Address) -> Address {
        self.source_of_range(destination)
            .unwrap_or_else(|| self.policy.pod_address(destination))
    }

    /// The source that the kernel would choose for a connection to an address of the pod: for an IPv4 address the first
    /// address of its interface, for a range what its route says, and else the address itself.
    #[inline(always)]
    fn source_toward_own(self, destination: Address) -> Address {
        if destination.is_v4() {
            let primary = self.primary_of(destination);
            if !primary.same(destination) {
                return primary;
            }
        }
        match self.source_of_range(destination) {
            Some(source) if !source.is_unspecified() => source,
            _ => destination,
        }
    }

    /// What the routes say of the source of connections to `destination`, if it is not as usual. Unspecified for
    /// `destination` itself.
    #[inline(always)]
    fn source_of_range(self, destination: Address) -> Option<Address> {
        if !self.policy.has(PolicyFlags::SOURCE_ADDRS) {
            return None;
        }
        let key = Key::new(AddressKey::BITS, AddressKey::new(self.policy.generation, destination));
        SOURCE_ADDRS.get(&key).copied()
    }

    /// The first address of the interface that has `address`.
    #[inline(always)]
    pub(crate) fn primary_of(self, address: Address) -> Address {
        PRIMARY_ADDRS
            .get_ptr(AddressKey::new(self.policy.generation, address))
            .map_or(address, |primary| {
                // SAFETY: entries of a generation live as long as any program that can see its policy.
                unsafe { *primary }
            })
    }
}
