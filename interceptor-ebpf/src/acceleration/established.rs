// SPDX-License-Identifier: Apache-2.0 OR MIT
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
    Address, AddressClass, PolicyFlags, Reason, Tables as _,
    acceleration::{Candidate, FlowKey, Handshake, Path, Peer, PeerLocation, SeqNumbers, SocketState, admit},
};

use super::tcp::Tcp;
use crate::{
    maps::{ACCELERATED, HANDSHAKES, LOCAL_PODS, SOCKET_STATE},
    pod::Pod,
    socket::Socket,
};

/// Nobody reads the answer to these callbacks.
const DONE: u32 = 1;

macro_rules! field {
    ($ctx:expr, $($field:tt)+) => {{
        let ops = $ctx.ops;
        // SAFETY: the context is valid while the program runs, and the verifier checks offset and size.
        unsafe { core::ptr::read_volatile(&raw const (*ops).$($field)+) }
    }};
}

/// Follows a connection from its beginning to its end.
#[inline(always)]
pub(crate) fn follow(ctx: &SockOpsContext) -> u32 {
    let op = field!(ctx, op);
    // SAFETY: the context is valid while the program runs.
    let sk = unsafe { &raw const (*ctx.ops).__bindgen_anon_2 }.cast();
    // SAFETY: the union holds a pointer, null when the callback is not for a full socket.
    let Some(socket) = Socket::new(unsafe { core::ptr::read_volatile(sk) }) else {
        return DONE; // a request socket: not accelerated, as nothing is noted
    };
    match op {
        BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB => begin(ctx, socket, false),
        BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB => begin(ctx, socket, true),
        BPF_SOCK_OPS_STATE_CB if state_entered(ctx) == BPF_TCP_CLOSE => end(socket),
        BPF_SOCK_OPS_TCP_CONNECT_CB => reconnect(socket),
        _ => {} // of no interest
    }
    DONE
}

/// The connection is established: is its other end on this node, and may both be brought together?
#[inline(always)]
fn begin(ctx: &SockOpsContext, socket: Socket, accepted: bool) {
    let Some(pod) = Pod::of(ctx.as_ptr()) else {
        return; // not enrolled: not accelerated
    };
    if !pod.policy.has(PolicyFlags::ACCELERATE) {
        return; // switched off: as above
    }
    let Some(tcp) = Tcp::of(socket) else {
        return; // only TCP gets here
    };
    match admission(ctx, pod, socket, tcp, accepted) {
        Ok(end) => enter(ctx, pod, socket, tcp, end),
        Err(reason) => pod.count(reason),
    }
}

#[inline(always)]
fn admission(
    ctx: &SockOpsContext,
    pod: Pod<'_>,
    socket: Socket,
    tcp: Tcp,
    accepted: bool,
) -> Result<SocketState, Reason> {
    let (local, remote) = (socket.local_address(), socket.peer_address());
    let (local_port, remote_port) = (socket.local_port(), socket.peer_port());
    let to_slot = pod.slot_in(remote, remote_port).is_some();
    let (place, peer_netns_cookie) = if to_slot || is_here(pod, remote) {
        (PeerLocation::SamePod, pod.netns_cookie)
    } else {
        pod_at(remote).map_or((PeerLocation::Elsewhere, 0), |cookie| (PeerLocation::OtherPod, cookie))
    };
    let sequence = SeqNumbers { snd_nxt: field!(ctx, snd_nxt), rcv_nxt: field!(ctx, rcv_nxt) };
    let queued = tcp.write_seq() != sequence.snd_nxt;
    let early_data = queued
        || field!(ctx, snd_una) != sequence.snd_nxt
        || (field!(ctx, data_segs_out) | field!(ctx, data_segs_in)) != 0;
    let key = FlowKey {
        netns_cookie: pod.netns_cookie,
        local,
        remote,
        local_port,
        remote_port,
        padding: 0,
    };
    // Where nothing can be read, TCP has as good as no memory left.
    let memory_low = tcp.memory_low().unwrap_or_default();
    let end = SocketState::new(key, peer_netns_cookie, sequence, pod.policy.accelerate_budget, memory_low);
    admit(&Candidate {
        accepted,
        place,
        sidecar: to_slot || Pod::owner(socket).is_proxy(),
        mptcp: tcp.is_mptcp(),
        early_data,
        reused: SOCKET_STATE.get_ptr(socket).is_some(),
        other: if accepted {
            Peer::of(sequence, note_of_other_end(&end).map(|note| note.sequence))
        } else {
            Peer::Absent
        },
    })?;
    Ok(end)
}

/// What the other end has noted.
#[inline(always)]
pub(super) fn note_of_other_end(end: &SocketState) -> Option<Handshake> {
    let note = HANDSHAKES.get_ptr(end.key.other_end(end.peer_netns_cookie))?;
    // SAFETY: a recycled entry would hold another connection's note, whose sequence numbers do not meet.
    Some(unsafe { note.read() })
}

#[inline(always)]
fn is_here(pod: Pod<'_>, remote: Address) -> bool {
    remote.is_loopback() || remote.same(Address::PASSTHROUGH_V6) || pod.address(remote).has(AddressClass::LOCAL)
}

/// The pod of this node that has the address, if just one does.
#[inline(always)]
fn pod_at(remote: Address) -> Option<u64> {
    let cookie = LOCAL_PODS.get_ptr(remote)?;
    // SAFETY: at worst a recycled entry, which names another pod, where no end is found that matches this one.
    Some(unsafe { cookie.read() })
}

/// The storage first: with it, not a byte of the socket is sent that is not accounted for.
#[inline(always)]
fn enter(ctx: &SockOpsContext, pod: Pod<'_>, socket: Socket, tcp: Tcp, mut end: SocketState) {
    let Some(kept) = SOCKET_STATE.get_or_insert(socket, end) else {
        return pod.count(Reason::AccelerationNoRoom); // never entered the table: TCP
    };
    let note = Handshake { sequence: end.sequence, socket: tcp.address() };
    // SAFETY: the map takes keys of this type. An entry in use is never replaced.
    let entered =
        unsafe { bpf_sock_hash_update(ctx.ops, table(), (&raw mut end.key).cast(), u64::from(BPF_NOEXIST)) } == 0;
    let callbacks = (field!(ctx, bpf_sock_ops_cb_flags) | BPF_SOCK_OPS_STATE_CB_FLAG).cast_signed();
    let followed = entered && ctx.set_cb_flags(callbacks).is_ok();
    if !(followed && HANDSHAKES.insert(end.key, note, 0).is_ok()) {
        // In the table or not, nobody sends to it, and it sends by TCP.
        // SAFETY: the value belongs to this socket, which is locked.
        let way = unsafe { &raw mut (*kept.as_ptr()).way };
        // SAFETY: as above.
        unsafe { way.write(Path::TCP) };
        pod.count(Reason::AccelerationNoRoom);
    }
}

/// The connection is over: nobody needs to know how much was read. The socket stays in the table until it is closed,
/// because its application may still have something to read.
#[inline(always)]
fn end(socket: Socket) {
    if let Some(end) = SOCKET_STATE.get(socket) {
        // An error means that there is no entry.
        HANDSHAKES.remove(end.key).unwrap_or_default();
    }
}

/// A socket that had another connection begins a new one. Nothing of the old one may reach it, as `tcp_disconnect` has
/// it.
#[inline(always)]
fn reconnect(socket: Socket) {
    if let Some(mut end) = SOCKET_STATE.get(socket) {
        // SAFETY: the map takes keys of this type. That there may be no such entry is as well.
        unsafe { bpf_map_delete_elem(table(), (&raw mut end.key).cast()) };
    }
}

#[inline(always)]
fn state_entered(ctx: &SockOpsContext) -> u32 {
    field!(ctx, __bindgen_anon_1.args[1])
}

#[inline(always)]
fn table() -> *mut c_void {
    (&raw const ACCELERATED).cast_mut().cast()
}
