// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `send()` on an accelerated socket: puts the message into the peer's queue, or leaves it to TCP. It never drops a
//! message.

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

/// Sends a message on the path of its direction. The kernel holds the socket's lock.
///
/// The answer is always `SK_PASS`. The kernel sends the message by TCP unless the program has redirected it.
#[inline(always)]
pub(crate) fn send(ctx: &SkMsgContext) -> u32 {
    let Some(socket) = Socket::new(pointer_field!(ctx.msg, __bindgen_anon_3)) else {
        return SK_PASS; // TCP; the context always has a socket
    };
    let Some(mut stored) = SOCKET_STATE.get_ptr(socket) else {
        return SK_PASS; // TCP; a socket in the map always has a state
    };
    // SAFETY: the value lives as long as the socket, whose lock is held.
    let state = unsafe { stored.as_mut() };
    if state.path.is(Path::TCP) {
        return SK_PASS; // this direction uses TCP for good
    }
    if let Err(Stop { pod, reason }) = send_directly(ctx, state, socket) {
        state.path = Path::TCP;
        if let (Some(pod), Some(reason)) = (pod, reason) {
            pod.count(reason);
        }
    }
    SK_PASS
}

/// A direction uses TCP from now on: what to count, and for which pod.
struct Stop<'a> {
    pod: Option<Pod<'a>>,
    reason: Option<Reason>,
}

/// Redirects the message to the peer's queue, if the rules allow it.
#[inline(always)]
fn send_directly(ctx: &SkMsgContext, state: &mut SocketState, socket: Socket) -> Result<(), Stop<'static>> {
    let Some(pod) = Pod::enrolled(state.key.netns_cookie) else {
        return Err(Stop { pod: None, reason: None }); // the pod is not enrolled any longer
    };
    let stop = |reason| Stop { pod: Some(pod), reason };
    let first = state.path.is(Path::UNDECIDED);
    if first && !pod.policy.has(PolicyFlags::ACCELERATE) {
        return Err(stop(None)); // acceleration was switched off before the first message
    }
    if !matches!(socket.state(), BPF_TCP_ESTABLISHED | BPF_TCP_CLOSE_WAIT) {
        return Err(stop(None)); // shut down for writing, or closed: TCP returns the error
    }
    let urgent = state.urgent != 0;
    if first {
        let handshake = handshake_of_peer(state);
        let peer = Peer::of(state.sequence, handshake.map(|handshake| handshake.sequence));
        decide_direction(urgent, peer).map_err(|reason| stop(Some(reason)))?;
        if let Some(handshake) = handshake {
            state.meet(handshake);
        }
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

/// Puts the message into the peer's queue. False if the peer is not in the map any longer.
#[inline(always)]
fn redirect(ctx: &SkMsgContext, state: &SocketState) -> bool {
    let mut key = state.key.reversed(state.peer_netns_cookie);
    let map = (&raw const ACCELERATED).cast_mut().cast();
    // SAFETY: the map takes keys of this type.
    let action = unsafe { bpf_msg_redirect_hash(ctx.msg, map, (&raw mut key).cast(), u64::from(BPF_F_INGRESS)) };
    action == i64::from(SK_PASS)
}
