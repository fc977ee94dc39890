// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `listen()`: remembers the listening sockets of the sidecar, so that connections can be given to them.

use aya_ebpf::{
    EbpfContext as _,
    bindings::{BPF_NOEXIST, BPF_SOCK_OPS_TCP_LISTEN_CB},
    helpers::generated::bpf_sock_hash_update,
    programs::SockOpsContext,
};
use interceptor_policy::{LISTENERS_PER_PORT, ListenerKey, ListenerScope, ProxyListener, Reason};

use crate::{
    ctx::pointer_field,
    maps::{LISTENERS, PROXY_SOCKETS},
    outcome::CALLBACK_DONE,
    pod::Pod,
    socket::{Socket, low_half},
};

/// Remembers a socket that the sidecar starts to listen on, so that connections can be steered to it. Sockets of
/// anybody else on the same port are not remembered, and so get none.
#[inline(always)]
pub(crate) fn record(ctx: &SockOpsContext) -> u32 {
    if ctx.op() != BPF_SOCK_OPS_TCP_LISTEN_CB {
        return CALLBACK_DONE; // of no interest
    }
    let Some(pod) = Pod::of(ctx.as_ptr()) else {
        return CALLBACK_DONE; // not enrolled; should the pod be enrolled later, the loader adopts the sockets that already listen
    };
    let port = low_half(ctx.local_port());
    if !pod.policy.is_proxy_port(port) {
        return CALLBACK_DONE; // not a port that connections are redirected to
    }
    let Some(socket) = Socket::new(pointer_field!(ctx.ops, __bindgen_anon_2)) else {
        return CALLBACK_DONE; // not recorded means that nothing is redirected to it
    };
    if !Pod::owner(socket).is_proxy() {
        pod.count(Reason::ForeignListener);
        return CALLBACK_DONE;
    }
    let scope = ListenerScope::of(socket.local_address());
    let marked = !pod.policy.marks_listener(port) || PROXY_SOCKETS.set(socket, ProxyListener { port: port.into() });
    if !(marked && insert(ctx, pod, port, scope)) {
        pod.count(Reason::ListenerNotRecorded);
    }
    CALLBACK_DONE
}

/// Puts the socket into the first free place of its port and scope.
#[inline(always)]
fn insert(ctx: &SockOpsContext, pod: Pod<'_>, port: u16, scope: ListenerScope) -> bool {
    for index in 0..LISTENERS_PER_PORT {
        let mut key = ListenerKey::new(pod.netns_cookie, port, scope, index);
        let map = (&raw const LISTENERS).cast_mut().cast();
        // SAFETY: the map takes keys of this type, and the callback's socket listens. An entry in use is never
        // replaced.
        if unsafe { bpf_sock_hash_update(ctx.ops, map, (&raw mut key).cast(), u64::from(BPF_NOEXIST)) } == 0 {
            return true;
        }
    }
    false
}
