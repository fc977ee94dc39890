// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A connection is established, closed, or made again, in a pod with `--accelerate`. Adds the socket to the maps of
//! acceleration. Every failure here leaves the connection with TCP.

use core::ffi::c_void;

use aya_ebpf::{
    EbpfContext as _,
    bindings::{
        BPF_NOEXIST, BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB, BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB, BPF_SOCK_OPS_STATE_CB,
        BPF_SOCK_OPS_STATE_CB_FLAG, BPF_SOCK_OPS_TCP_CONNECT_CB, BPF_TCP_CLOSE,
    },
    helpers::generated::{bpf_map_delete_elem, bpf_sock_hash_update},
    programs::SockOpsContext,
};
use interceptor_policy::{
    PolicyFlags, Reason,
    acceleration::{Candidate, FlowKey, Path, Peer, PeerLocation, SeqNumbers, SocketState, admit},
};

use super::{
    peer::{handshake_of_peer, is_own, pod_at},
    tcp::Tcp,
};
use crate::{
    ctx::{field, pointer_field},
    maps::{ACCELERATED, HANDSHAKES, SOCKET_STATE},
    outcome::CALLBACK_DONE,
    pod::Pod,
    socket::Socket,
};

/// Handles the kernel's callbacks for one socket.
#[inline(always)]
pub(crate) fn follow(ctx: &SockOpsContext) -> u32 {
    let op = field!(ctx.ops, op);
    let Some(socket) = Socket::new(pointer_field!(ctx.ops, __bindgen_anon_2)) else {
        return CALLBACK_DONE; // a request socket: it has no state, so it is not accelerated
    };
    match op {
        BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB => established(ctx, socket, false),
        BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB => established(ctx, socket, true),
        BPF_SOCK_OPS_STATE_CB if state_entered(ctx) == BPF_TCP_CLOSE => closed(socket),
        BPF_SOCK_OPS_TCP_CONNECT_CB => reconnecting(socket),
        _ => {} // no other callback matters
    }
    CALLBACK_DONE
}

/// The connection is established: accelerates the socket if the rules admit it.
#[inline(always)]
fn established(ctx: &SockOpsContext, socket: Socket, accepted: bool) {
    let Some(pod) = Pod::of(ctx.as_ptr()) else {
        return; // the pod is not enrolled: TCP
    };
    if !pod.policy.has(PolicyFlags::ACCELERATE) {
        return; // the pod is not accelerated: TCP
    }
    let Some(tcp) = Tcp::of(socket) else {
        return; // not a TCP socket; the callbacks never have one
    };
    match examine(ctx, pod, socket, tcp, accepted) {
        Ok(state) => add_to_map(ctx, pod, socket, tcp, state),
        Err(reason) => pod.count(reason),
    }
}

/// The state for a socket that the rules admit, or why they do not.
#[inline(always)]
fn examine(
    ctx: &SockOpsContext,
    pod: Pod<'_>,
    socket: Socket,
    tcp: Tcp,
    accepted: bool,
) -> Result<SocketState, Reason> {
    let (local, remote) = (socket.local_address(), socket.peer_address());
    let (local_port, remote_port) = (socket.local_port(), socket.peer_port());
    let to_slot = pod.slot_in(remote, remote_port).is_some();
    let (peer_location, peer_netns_cookie) = if to_slot || is_own(pod, remote) {
        (PeerLocation::SamePod, pod.netns_cookie)
    } else {
        pod_at(remote).map_or((PeerLocation::Elsewhere, 0), |cookie| (PeerLocation::OtherPod, cookie))
    };
    let sequence = SeqNumbers { snd_nxt: field!(ctx.ops, snd_nxt), rcv_nxt: field!(ctx.ops, rcv_nxt) };
    let queued = tcp.write_seq() != sequence.snd_nxt;
    let early_data = queued
        || field!(ctx.ops, snd_una) != sequence.snd_nxt
        || (field!(ctx.ops, data_segs_out) | field!(ctx.ops, data_segs_in)) != 0;
    let key = FlowKey {
        netns_cookie: pod.netns_cookie,
        local,
        remote,
        local_port,
        remote_port,
        padding: 0,
    };
    // If the limit cannot be read, it counts as zero. Then no message takes the direct path.
    let memory_low = tcp.memory_low().unwrap_or_default();
    let state = SocketState::new(key, peer_netns_cookie, sequence, pod.policy.accelerate_budget, memory_low);
    admit(&Candidate {
        accepted,
        peer_location,
        sidecar: to_slot || Pod::owner(socket).is_proxy(),
        mptcp: tcp.is_mptcp(),
        early_data,
        reused: SOCKET_STATE.get_ptr(socket).is_some(),
        peer: if accepted {
            Peer::of(sequence, handshake_of_peer(&state).map(|handshake| handshake.sequence))
        } else {
            Peer::Absent
        },
    })?;
    Ok(state)
}

/// Creates the socket storage before it adds the socket to the map, so that every byte sent through the map is
/// accounted for.
#[inline(always)]
fn add_to_map(ctx: &SockOpsContext, pod: Pod<'_>, socket: Socket, tcp: Tcp, mut state: SocketState) {
    let Some(stored) = SOCKET_STATE.get_or_insert(socket, state) else {
        return pod.count(Reason::AccelerationNoRoom); // not added to the map: TCP
    };
    let handshake = state.handshake(tcp.address());
    // SAFETY: the map takes keys of this type. `BPF_NOEXIST` never replaces the entry of another socket.
    let added = unsafe {
        bpf_sock_hash_update(ctx.ops, accelerated_map(), (&raw mut state.key).cast(), u64::from(BPF_NOEXIST))
    } == 0;
    let callbacks = (field!(ctx.ops, bpf_sock_ops_cb_flags) | BPF_SOCK_OPS_STATE_CB_FLAG).cast_signed();
    let followed = added && ctx.set_cb_flags(callbacks).is_ok();
    if !(followed && HANDSHAKES.insert(state.key, handshake, 0).is_ok()) {
        // The socket may be in the map already. No peer sends to it, because it has no handshake, and it sends by TCP.
        // SAFETY: the value belongs to this socket, which is locked.
        let path = unsafe { &raw mut (*stored.as_ptr()).path };
        // SAFETY: as above.
        unsafe { path.write(Path::TCP) };
        pod.count(Reason::AccelerationNoRoom);
    }
}

/// The connection is closed: withdraws the handshake, which no peer needs any longer. The socket stays in the map until
/// its application closes it, because data may still wait to be read.
#[inline(always)]
fn closed(socket: Socket) {
    if let Some(state) = SOCKET_STATE.get(socket) {
        // An error means that there is no entry.
        HANDSHAKES.remove(state.key).unwrap_or_default();
    }
}

/// A socket that had another connection makes a new one: removes it from the map. No data of the old connection may
/// reach it, and `tcp_disconnect` drops such data as well.
#[inline(always)]
fn reconnecting(socket: Socket) {
    if let Some(mut state) = SOCKET_STATE.get(socket) {
        // SAFETY: the map takes keys of this type. An error means that there is no such entry.
        unsafe { bpf_map_delete_elem(accelerated_map(), (&raw mut state.key).cast()) };
    }
}

/// The TCP state that the socket changes to.
#[inline(always)]
fn state_entered(ctx: &SockOpsContext) -> u32 {
    field!(ctx.ops, __bindgen_anon_1.args[1])
}

#[inline(always)]
fn accelerated_map() -> *mut c_void {
    (&raw const ACCELERATED).cast_mut().cast()
}
