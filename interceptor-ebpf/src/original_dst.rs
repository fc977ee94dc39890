// SPDX-License-Identifier: Apache-2.0 OR MIT
use aya_ebpf::{bindings::bpf_sockopt, programs::SockoptContext};
use interceptor_policy::{Destination, Protocol};

use crate::{maps::PROXY_SOCKETS, pod::Pod, socket::Socket};

/// The only answer that does not replace the call's result with `EPERM`: the context says what the result is.
const DONE: i32 = 1;

/// `SOL_IP`, `SO_ORIGINAL_DST`: the call that iptables' connection tracking answers
/// ([`nf_conntrack_proto.c`](https://github.com/torvalds/linux/blob/v6.12/net/netfilter/nf_conntrack_proto.c#L255)).
const SOL_IP: i32 = 0;
const SO_ORIGINAL_DST: i32 = 80;

const AF_INET: u16 = 2;
const ENOENT: i32 = 2;
const EINVAL: i32 = 22;

/// `struct sockaddr_in`.
#[repr(C)]
struct SockaddrIn {
    family: u16,
    port_be: u16,
    address_be: u32,
    zero: [u32; 2],
}

#[expect(clippy::cast_possible_truncation, clippy::cast_possible_wrap, reason = "16")]
const SOCKADDR_IN_LEN: i32 = size_of::<SockaddrIn>() as i32;

macro_rules! field {
    ($sockopt:expr, $field:ident) => {
        // SAFETY: the context is valid while the program runs, and the verifier checks offset and size.
        unsafe { core::ptr::read_volatile(&raw const (*$sockopt).$field) }
    };
}

/// A pointer that the context holds in a union with its padding.
macro_rules! pointer {
    ($sockopt:expr, $union:ident) => {{
        // SAFETY: the context is valid while the program runs.
        let pointer = unsafe { &raw const (*$sockopt).$union }.cast();
        // SAFETY: the union holds a pointer.
        unsafe { core::ptr::read_volatile(pointer) }
    }};
}

/// Volatile, because the verifier refuses what the compiler makes of two neighbouring fields: one store for both.
macro_rules! set_field {
    ($sockopt:expr, $field:ident, $value:expr) => {{
        // SAFETY: the context is valid while the program runs.
        let field = unsafe { &raw mut (*$sockopt).$field };
        // SAFETY: programs of this type may write the field.
        unsafe { core::ptr::write_volatile(field, $value) }
    }};
}

/// Answers where a redirected connection was going. Everything else, the kernel has answered already.
#[inline(always)]
pub(crate) fn answer(ctx: &SockoptContext) -> i32 {
    let sockopt = ctx.sockopt;
    let (level, name) = (field!(sockopt, level), field!(sockopt, optname));
    if level != SOL_IP || name != SO_ORIGINAL_DST {
        return DONE; // not ours to answer
    }
    let Some(socket) = Socket::new(pointer!(sockopt, __bindgen_anon_1)) else {
        return DONE; // the context of this program always has a socket
    };
    if Protocol::from_number(socket.protocol()) != Protocol::Tcp || socket.peer_port() == 0 {
        return DONE; // not a connection
    }
    let Some(pod) = Pod::of(sockopt.cast()) else {
        return DONE; // not enrolled
    };
    match original_destination(pod, socket) {
        Known(destination) => respond(sockopt, &destination),
        Forgotten => set_result(sockopt, -ENOENT),
        NotOurs => {}
    }
    DONE
}

use OriginalDestination::{Forgotten, Known, NotOurs};

enum OriginalDestination {
    Known(Destination),
    /// Its slot was recycled. The sidecar must not take the address it sees for the destination.
    Forgotten,
    /// The connection was not redirected, and its socket is not the sidecar's.
    NotOurs,
}

#[inline(always)]
fn original_destination(pod: Pod<'_>, socket: Socket) -> OriginalDestination {
    let local = Destination::new(socket.local_address(), socket.local_port());
    let slot_address = if PROXY_SOCKETS.get(socket).is_some() {
        match pod.slot_in(local.address, local.port) {
            Some(slot_address) => slot_address,
            // Steered here by `sk_lookup`, or dialled directly: the packet still says where it was going.
            None if local.address.is_v4() => return Known(local),
            None => return NotOurs,
        }
    } else {
        // The application may ask as well, on its own end.
        match pod.slot_in(socket.peer_address(), socket.peer_port()) {
            Some(slot_address) => slot_address,
            None => return NotOurs,
        }
    };
    pod.destination(slot_address.slot).map_or(Forgotten, Known)
}

#[inline(always)]
fn respond(sockopt: *mut bpf_sockopt, destination: &Destination) {
    let value: *mut SockaddrIn = pointer!(sockopt, __bindgen_anon_2);
    let end: *mut SockaddrIn = pointer!(sockopt, __bindgen_anon_3);
    // The second comparison is the first one's consequence, spelled out for the verifier.
    if field!(sockopt, optlen) < SOCKADDR_IN_LEN || value.wrapping_add(1) > end {
        return set_result(sockopt, -EINVAL);
    }
    let answer = SockaddrIn { family: AF_INET, port_be: destination.port.to_be(), address_be: destination.address.v4_be(), zero: [0; 2] };
    // SAFETY: there is room for it, as was just checked.
    unsafe { value.write_unaligned(answer) };
    set_field!(sockopt, optlen, SOCKADDR_IN_LEN);
    set_result(sockopt, 0);
}

#[inline(always)]
fn set_result(sockopt: *mut bpf_sockopt, result: i32) {
    set_field!(sockopt, retval, result);
}
