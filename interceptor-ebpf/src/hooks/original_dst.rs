// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `getsockopt(SO_ORIGINAL_DST)`: answers where a connection was going, as connection tracking does under iptables.
//! Every other option keeps the kernel's own answer.

use aya_ebpf::{bindings::bpf_sockopt, programs::SockoptContext};
use interceptor_policy::{Destination, Protocol};

use crate::{
    accepted::is_accepted,
    ctx::{SockaddrIn, SockaddrIn6, field, pointer_field, set_field},
    maps::PROXY_SOCKETS,
    outcome::{DONE, EINVAL, ENOENT},
    pod::Pod,
    socket::Socket,
};

/// The option of level `SOL_IP`, and of level `SOL_IPV6`, where it is also called `IP6T_SO_ORIGINAL_DST`. Under
/// iptables, connection tracking answers it
/// ([`nf_conntrack_proto.c`](https://github.com/torvalds/linux/blob/v6.12/net/netfilter/nf_conntrack_proto.c#L255)).
const SO_ORIGINAL_DST: i32 = 80;
const SOL_IP: i32 = 0;
const SOL_IPV6: i32 = 41;
const IPPROTO_TCP: u32 = 6;

/// Replaces the kernel's answer.
#[inline(always)]
pub(crate) fn answer(ctx: &SockoptContext) -> i32 {
    let sockopt = ctx.sockopt;
    let (level, name) = (field!(sockopt, level), field!(sockopt, optname));
    if name != SO_ORIGINAL_DST || !(level == SOL_IP || level == SOL_IPV6) {
        return DONE; // another option
    }
    let Some(socket) = Socket::new(pointer_field!(sockopt, __bindgen_anon_1)) else {
        return DONE; // the context of this program always has a socket
    };
    if Protocol::from_number(socket.protocol()) != Protocol::Tcp || socket.peer_port() == 0 {
        return DONE; // not a TCP connection
    }
    let Some(pod) = Pod::of(sockopt.cast()) else {
        return DONE; // the pod is not enrolled, so nothing was redirected
    };
    if !pod.policy.intercepts_family_of(socket.peer_address()) {
        return DONE; // without rules for the family, connection tracking knows nothing either
    }
    let destination = match original_destination(pod, socket) {
        Known(destination) => destination,
        Forgotten => {
            set_result(sockopt, -ENOENT);
            return DONE;
        }
        NotOurs => match first_destination(sockopt, socket) {
            Some(destination) => destination,
            None => return DONE, // it was not redirected, and the kernel's answer stands
        },
    };
    let Destination { address, port, padding: _ } = destination;
    match (level, address.is_v4()) {
        (SOL_IP, true) => respond(sockopt, SockaddrIn::new(address, port)),
        (SOL_IPV6, false) => respond(sockopt, SockaddrIn6::new(address, port)),
        _ => {} // the option is that of the other family
    }
    DONE
}

use OriginalDestination::{Forgotten, Known, NotOurs};

/// What is known about where a connection was going.
enum OriginalDestination {
    /// The connection is to the sidecar, and was going there.
    Known(Destination),
    /// The slot has another destination by now. The sidecar must not take the address that it sees for the destination.
    Forgotten,
    /// The connection was not redirected, and it is not to the sidecar.
    NotOurs,
}

/// Where the connection of a socket was going.
#[inline(always)]
fn original_destination(pod: Pod<'_>, socket: Socket) -> OriginalDestination {
    let local = Destination::new(socket.local_address(), socket.local_port());
    // The sidecar asks about a socket that it accepted. The application may ask as well, about its own end.
    let local_and_peer = [(local.address, local.port), (socket.peer_address(), socket.peer_port())];
    let Some(slot_address) = local_and_peer
        .into_iter()
        .find_map(|(address, port)| pod.slot_in(address, port))
    else {
        // `sk_lookup` chose this socket, or the client dialed it directly. Then the packet was not changed, and the
        // local address is the destination.
        let to_sidecar = pod.policy.is_proxy_port(local.port) || PROXY_SOCKETS.get(socket).is_some();
        return if to_sidecar { Known(local) } else { NotOurs };
    };
    pod.destination(slot_address.slot).map_or(Forgotten, Known)
}

/// Where the first packet of a connection went that nobody redirected. `None` where connection tracking has answered
/// already, or would not be asked.
#[inline(always)]
fn first_destination(sockopt: *mut bpf_sockopt, socket: Socket) -> Option<Destination> {
    // About MPTCP the kernel does not ask it.
    if field!(sockopt, retval) == 0 || socket.protocol() != IPPROTO_TCP {
        return None;
    }
    Some(if is_accepted(sockopt)? {
        Destination::new(socket.local_address(), socket.local_port())
    } else {
        Destination::new(socket.peer_address(), socket.peer_port())
    })
}

/// Copies the answer to the application's buffer.
#[inline(always)]
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    reason = "socket addresses are a few bytes long"
)]
fn respond<T>(sockopt: *mut bpf_sockopt, answer: T) {
    let value: *mut T = pointer_field!(sockopt, __bindgen_anon_2);
    let value_end: *mut T = pointer_field!(sockopt, __bindgen_anon_3);
    // The verifier needs the second comparison. The first one implies it.
    if field!(sockopt, optlen) < size_of::<T>() as i32 || value.wrapping_add(1) > value_end {
        return set_result(sockopt, -EINVAL);
    }
    // SAFETY: the buffer is large enough, as was just checked.
    unsafe { value.write_unaligned(answer) };
    set_field!(sockopt, optlen = size_of::<T>() as i32);
    set_result(sockopt, 0);
}

/// Sets what the system call returns.
#[inline(always)]
fn set_result(sockopt: *mut bpf_sockopt, result: i32) {
    set_field!(sockopt, retval = result);
}
