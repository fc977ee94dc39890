// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `send()` on a socket in the table of accelerated sockets.

use aya_ebpf::{
    bindings::{BPF_F_INGRESS, BPF_TCP_CLOSE_WAIT, BPF_TCP_ESTABLISHED, sk_action::SK_PASS},
    helpers::generated::bpf_msg_redirect_hash,
    programs::SkMsgContext,
};
use interceptor_policy::{
    PolicyFlags, Reason,
    acceleration::{Memory, Path, Peer, SocketState, decide_direction},
};

use super::{
    peer::handshake_of_peer,
    tcp::{Tcp, rmem_alloc_of},
};
use crate::{
    ctx::{field, pointer_field},
    maps::{ACCELERATED, SOCKET_STATE},
    pod::Pod,
    socket::Socket,
};

/// Sends a message into the other end's queue, or has TCP send it. The socket is locked.
///
/// The answer is always the same: after a redirection that failed the message goes by TCP, and not nowhere.
#[inline(always)]
pub(crate) fn send(ctx: &SkMsgContext) -> u32 {
    let Some(socket) = Socket::new(pointer_field!(ctx.msg, __bindgen_anon_3)) else {
        return SK_PASS; // never without a socket
    };
    let Some(mut stored) = SOCKET_STATE.get_ptr(socket) else {
        return SK_PASS; // never without an end; what nothing is known of goes by TCP
    };
    // SAFETY: the value lives as long as the socket, whose lock is held.
    let state = unsafe { stored.as_mut() };
    if state.path.is(Path::TCP) {
        return SK_PASS; // decided
    }
    match send_directly(ctx, state, socket) {
        Ok(()) => {}
        Err(Stop { pod, reason }) => {
            state.path = Path::TCP;
            if let (Some(pod), Some(reason)) = (pod, reason) {
                pod.count(reason);
            }
        }
    }
    SK_PASS
}

/// Why a direction goes by TCP from now on, and whom to tell.
struct Stop<'a> {
    pod: Option<Pod<'a>>,
    reason: Option<Reason>,
}

#[inline(always)]
fn send_directly(ctx: &SkMsgContext, state: &mut SocketState, socket: Socket) -> Result<(), Stop<'static>> {
    let Some(pod) = Pod::enrolled(state.key.netns_cookie) else {
        return Err(Stop { pod: None, reason: None }); // cleaned: as if no program were attached
    };
    let stop = |reason| Stop { pod: Some(pod), reason };
    let first = state.path.is(Path::UNDECIDED);
    if first && !pod.policy.has(PolicyFlags::ACCELERATE) {
        return Err(stop(None)); // switched off before anything was sent
    }
    if !matches!(socket.state(), BPF_TCP_ESTABLISHED | BPF_TCP_CLOSE_WAIT) {
        return Err(stop(None)); // shut down for writing, or closed: TCP has the error for it
    }
    let urgent = state.urgent != 0;
    if first {
        let handshake = handshake_of_peer(state);
        let peer = Peer::of(state.sequence, handshake.map(|handshake| handshake.sequence));
        decide_direction(urgent, peer).map_err(|reason| stop(Some(reason)))?;
        state.peer_socket = handshake.map_or(0, |handshake| handshake.socket);
    } else if urgent {
        return Err(stop(Some(Reason::AccelerationUrgentData)));
    }
    let peer_socket = state.peer_socket;
    let memory = Tcp::of(socket).map(|tcp| Memory { taken: tcp.memory_taken(), low: state.memory_low });
    let credit = state.take_credit(field!(ctx.msg, size), memory, || rmem_alloc_of(peer_socket));
    credit.map_err(|reason| stop(Some(reason)))?;
    if !redirect(ctx, state) {
        return Err(stop(Some(Reason::AccelerationPeerGone)));
    }
    if first {
        state.path = Path::DIRECT;
        pod.count(Reason::Accelerated);
    }
    Ok(())
}

#[inline(always)]
fn redirect(ctx: &SkMsgContext, state: &SocketState) -> bool {
    let mut key = state.key.reversed(state.peer_netns_cookie);
    let map = (&raw const ACCELERATED).cast_mut().cast();
    // SAFETY: the map takes keys of this type.
    let action = unsafe { bpf_msg_redirect_hash(ctx.msg, map, (&raw mut key).cast(), u64::from(BPF_F_INGRESS)) };
    action == i64::from(SK_PASS)
}
