// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Who holds the socket that a question for the DNS agent would go to. It takes no socket and refuses nothing.

use aya_ebpf::{
    bindings::{BPF_F_CURRENT_NETNS, bpf_sock},
    helpers::generated::{bpf_sk_lookup_udp, bpf_sk_release},
};
use interceptor_policy::{Address, Owner};

use crate::{family::Family, maps::OWNERS, socket::Socket, user_address::UserAddress};

/// `bpf_sock_tuple` with IPv4 addresses. The fields are in network byte order.
#[repr(C)]
struct TupleV4 {
    source: u32,
    destination: u32,
    source_port: u16,
    destination_port: u16,
}

/// `bpf_sock_tuple` with IPv6 addresses.
#[repr(C)]
struct TupleV6 {
    source: [u32; 4],
    destination: [u32; 4],
    source_port: u16,
    destination_port: u16,
}

/// Whether a datagram to the agent's address would go to a socket that the sidecar did not make.
///
/// If there is no socket at all, the kernel tells whoever asks. Without a packet,
/// [`sk_lookup`](crate::hooks::sk_lookup) has no part in this.
#[inline(always)]
pub(crate) fn is_held_by_another<F: Family>(user: &UserAddress<'_, F>, agent: Address, port: u16) -> bool {
    let port = port.to_be();
    let found = if agent.is_v4() {
        look_up(
            user,
            TupleV4 { source: 0, destination: agent.v4_be(), source_port: 0, destination_port: port },
        )
    } else {
        look_up(
            user,
            TupleV6 { source: [0; 4], destination: agent.0, source_port: 0, destination_port: port },
        )
    };
    let Some(holder) = Socket::new(found) else {
        return false;
    };
    let owner = OWNERS.get(holder).unwrap_or(Owner::APPLICATION);
    // SAFETY: the lookup has returned this socket, which is released once.
    unsafe { bpf_sk_release(holder.as_ptr()) };
    !owner.is_proxy()
}

/// The UDP socket of the pod that gets a datagram with these addresses, or null.
#[inline(always)]
#[expect(clippy::cast_possible_truncation, reason = "a tuple is a few bytes long")]
fn look_up<F: Family, T>(user: &UserAddress<'_, F>, mut tuple: T) -> *mut bpf_sock {
    let network = i64::from(BPF_F_CURRENT_NETNS).cast_unsigned();
    // SAFETY: the helper reads the tuple, whose length is passed with it.
    unsafe { bpf_sk_lookup_udp(user.as_ptr(), (&raw mut tuple).cast(), size_of::<T>() as u32, network, 0) }
}
