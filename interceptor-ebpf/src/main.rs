// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The kernel programs. Each turns its context into an [`interceptor_policy::Flow`], asks
//! [`interceptor_policy::decide`], carries the verdict out and counts its reason. No program knows a rule.
//!
//! They are loaded once per node and attached to the cgroup, or to the network namespace, of every enrolled pod. In a
//! network namespace that is not enrolled they do nothing: only an entry in [`maps::PODS`] puts a pod's interception in
//! force.
#![no_std]
#![no_main]
#![expect(
    clippy::needless_pass_by_value,
    reason = "the entry points get their contexts by value from aya's macros"
)]

mod acceleration;
mod accepted;
mod agent_socket;
mod asked_server;
mod credentials;
mod ctx;
mod dns_agent;
mod family;
mod former_slots;
mod hooks;
mod kernel_memory;
mod maps;
mod outcome;
mod packet;
mod pod;
mod reserved;
mod rules;
mod search;
mod sender;
mod sk_storage;
mod slot_words;
mod slots;
mod socket;
mod source;
mod trace;
mod user_address;

use aya_ebpf::{
    macros::{cgroup_sock, cgroup_sock_addr, cgroup_sockopt, classifier, fentry, sk_lookup, sk_msg, sock_ops},
    programs::{
        FEntryContext, SkLookupContext, SkMsgContext, SockAddrContext, SockContext, SockOpsContext, SockoptContext,
        TcContext,
    },
};

use crate::{
    family::{V4, V6},
    hooks::{bind, connect, dns, guard, listen, original_dst, sk_lookup, sock_create, sockname},
    user_address::UserAddress,
};

/// `socket()`: keeps who made it.
#[cgroup_sock(sock_create)]
fn on_sock_create(ctx: SockContext) -> i32 {
    sock_create::keep_owner(&ctx)
}

/// `bind()` of an `AF_INET` socket.
#[cgroup_sock_addr(bind4)]
fn on_bind4(ctx: SockAddrContext) -> i32 {
    bind::bind(&UserAddress::<V4>::of(&ctx))
}

/// `bind()` of an `AF_INET6` socket, which may be to an IPv4-mapped address.
#[cgroup_sock_addr(bind6)]
fn on_bind6(ctx: SockAddrContext) -> i32 {
    bind::bind(&UserAddress::<V6>::of(&ctx))
}

/// `connect()` of an `AF_INET` socket.
#[cgroup_sock_addr(connect4)]
fn on_connect4(ctx: SockAddrContext) -> i32 {
    connect::connect(&UserAddress::<V4>::of(&ctx))
}

/// `connect()` of an `AF_INET6` socket, which may be to an IPv4-mapped address.
#[cgroup_sock_addr(connect6)]
fn on_connect6(ctx: SockAddrContext) -> i32 {
    connect::connect(&UserAddress::<V6>::of(&ctx))
}

/// `sendto()` of an `AF_INET` socket, or of an `AF_INET6` socket to an IPv4-mapped address.
#[cgroup_sock_addr(sendmsg4)]
fn on_sendmsg4(ctx: SockAddrContext) -> i32 {
    dns::send(&UserAddress::<V4>::of(&ctx))
}

/// `sendto()` of an `AF_INET6` socket.
#[cgroup_sock_addr(sendmsg6)]
fn on_sendmsg6(ctx: SockAddrContext) -> i32 {
    dns::send(&UserAddress::<V6>::of(&ctx))
}

/// `recvfrom()` of an `AF_INET` socket.
#[cgroup_sock_addr(recvmsg4)]
fn on_recvmsg4(ctx: SockAddrContext) -> i32 {
    dns::receive(&UserAddress::<V4>::of(&ctx))
}

/// `recvfrom()` of an `AF_INET6` socket, also from an IPv4-mapped address.
#[cgroup_sock_addr(recvmsg6)]
fn on_recvmsg6(ctx: SockAddrContext) -> i32 {
    dns::receive(&UserAddress::<V6>::of(&ctx))
}

/// `getpeername()`, and the address that `accept()` returns.
#[cgroup_sock_addr(getpeername4)]
fn on_getpeername4(ctx: SockAddrContext) -> i32 {
    sockname::peer_name(&UserAddress::<V4>::of(&ctx))
}

/// The same as [`on_getpeername4`], for an `AF_INET6` socket.
#[cgroup_sock_addr(getpeername6)]
fn on_getpeername6(ctx: SockAddrContext) -> i32 {
    sockname::peer_name(&UserAddress::<V6>::of(&ctx))
}

/// `getsockname()`.
#[cgroup_sock_addr(getsockname4)]
fn on_getsockname4(ctx: SockAddrContext) -> i32 {
    sockname::local_name(&UserAddress::<V4>::of(&ctx))
}

/// The same as [`on_getsockname4`], for an `AF_INET6` socket.
#[cgroup_sock_addr(getsockname6)]
fn on_getsockname6(ctx: SockAddrContext) -> i32 {
    sockname::local_name(&UserAddress::<V6>::of(&ctx))
}

/// `getsockopt(SO_ORIGINAL_DST)`.
#[cgroup_sockopt(getsockopt)]
fn on_getsockopt(ctx: SockoptContext) -> i32 {
    original_dst::answer(&ctx)
}

/// `listen()`: records the sidecar's listening sockets.
#[sock_ops]
fn on_sockops(ctx: SockOpsContext) -> u32 {
    listen::record(&ctx)
}

/// A connection request that arrives at the pod, or was redirected inside the pod. The target of the tail call of each
/// pod's lookup stub, see `kernel/programs/lookup_stub.rs` of the loader.
#[sk_lookup]
fn on_sk_lookup(ctx: SkLookupContext) -> u32 {
    sk_lookup::select_socket(&ctx)
}

/// A packet that leaves the pod by an interface other than `lo`, in a pod with `--guard`.
#[classifier]
fn on_guard(ctx: TcContext) -> i32 {
    guard::judge(&ctx)
}

/// A connection is established, closed, or made again, in a pod with `--accelerate`.
#[sock_ops]
fn on_established(ctx: SockOpsContext) -> u32 {
    acceleration::established::follow(&ctx)
}

/// `send()` on an accelerated socket.
#[sk_msg]
fn on_message(ctx: SkMsgContext) -> u32 {
    acceleration::message::send(&ctx)
}

/// Runs before `send()` on a socket in a socket map.
#[fentry]
fn on_urgent(ctx: FEntryContext) {
    acceleration::urgent::mark(&ctx);
}

/// `setsockopt()`, in a pod with `--accelerate`.
#[cgroup_sockopt(setsockopt)]
fn on_setsockopt(ctx: SockoptContext) -> i32 {
    acceleration::ulp::refuse(&ctx)
}

/// The kernel offers some of the helpers to GPL-compatible programs only.
#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";

/// The verifier proves that no program panics. The compiler still needs a handler.
#[cfg(not(test))]
#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}
