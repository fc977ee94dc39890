// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `listen()`: records the listening sockets of the sidecar, so that `sk_lookup` can choose them. The kernel removes
//! them when they are closed.

use core::ffi::c_void;

use aya_ebpf::{
    EbpfContext as _,
    bindings::{BPF_NOEXIST, BPF_SOCK_OPS_TCP_LISTEN_CB},
    helpers::generated::{bpf_map_delete_elem, bpf_sock_hash_update},
    programs::SockOpsContext,
};
use interceptor_policy::{
    Direction, LISTENERS_PER_KIND, ListenerKey, ListenerScope, Outbound, Owner, Protocol, ProxyListener, Reason,
};

use crate::{
    ctx::pointer_field,
    maps::{LISTENERS, PROXY_SOCKETS},
    outcome::{CALLBACK_DONE, EEXIST},
    pod::Pod,
    socket::{Socket, low_half},
    trace::Seen,
};

/// Records a socket on which the sidecar starts to listen. A socket of anybody else on the same port is not recorded,
/// so it gets no redirected connection.
#[inline(always)]
pub(crate) fn record(ctx: &SockOpsContext) -> u32 {
    if ctx.op() != BPF_SOCK_OPS_TCP_LISTEN_CB {
        return CALLBACK_DONE; // another event
    }
    let Some(pod) = Pod::of(ctx.as_ptr()) else {
        // The pod is not enrolled. When it is, the loader adopts the sockets that listen by then.
        return CALLBACK_DONE;
    };
    let port = low_half(ctx.local_port());
    if !pod.policy.is_proxy_port(port) {
        return CALLBACK_DONE; // no connection is redirected to this port
    }
    let Some(socket) = Socket::new(pointer_field!(ctx.ops, __bindgen_anon_2)) else {
        return CALLBACK_DONE; // fail closed: a socket that is not recorded gets no redirected connection
    };
    if !Pod::owner(socket).is_proxy() {
        count(pod, socket, Reason::ForeignListener);
        return CALLBACK_DONE;
    }
    let scope = ListenerScope::of(socket.local_address());
    let marked = !pod.policy.marks_listener(port) || PROXY_SOCKETS.set(socket, ProxyListener { port: port.into() });
    let place = ListenerKey::new(pod.netns_cookie, port, scope, socket.listener_family(), 0);
    if !(marked && insert(ctx, pod, socket, place)) {
        count(pod, socket, Reason::ListenerNotRecorded);
    }
    CALLBACK_DONE
}

#[inline(always)]
fn count(pod: Pod<'_>, socket: Socket, reason: Reason) {
    let source = socket.local_address();
    let flow = Outbound {
        source,
        destination: source.unspecified(),
        owner: Owner::APPLICATION,
        mark: 0,
        interface: 0,
        port: 0,
        protocol: Protocol::Tcp,
    };
    Seen { direction: Direction::Listen, flow: &flow, source_port: socket.local_port() }.count(pod, reason);
}

/// Adds the socket to the map, at the first free index of its kind. If there is none, it takes the last one: so the
/// socket that listened last is always there, when those that listened before are closed. False if that fails.
#[inline(always)]
fn insert(ctx: &SockOpsContext, pod: Pod<'_>, socket: Socket, mut key: ListenerKey) -> bool {
    for index in 0..LISTENERS_PER_KIND {
        key.index = index;
        match insert_at(ctx, key) {
            0 => return true,
            EEXIST => {}
            _ => return false, // another index would be refused as well
        }
    }
    count(pod, socket, Reason::ListenerReplaced);
    // SAFETY: the map takes keys of this type. An error means that the socket there has just been closed.
    unsafe { bpf_map_delete_elem(listeners(), (&raw mut key).cast()) };
    insert_at(ctx, key) == 0
}

/// Zero, or the error.
#[inline(always)]
fn insert_at(ctx: &SockOpsContext, mut key: ListenerKey) -> i64 {
    // SAFETY: the map takes keys of this type, and the callback's socket listens. `BPF_NOEXIST` never replaces the
    // entry of another socket.
    unsafe { bpf_sock_hash_update(ctx.ops, listeners(), (&raw mut key).cast(), u64::from(BPF_NOEXIST)) }
}

#[inline(always)]
fn listeners() -> *mut c_void {
    (&raw const LISTENERS).cast_mut().cast()
}
