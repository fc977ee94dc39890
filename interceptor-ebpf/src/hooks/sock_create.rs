// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `socket()`: keeps with a new socket what the rules ask about its maker. Fails closed: a socket of the sidecar that
//! cannot be told from one of the application is not made.

use core::ffi::c_void;

use aya_ebpf::{EbpfContext as _, helpers::generated::bpf_get_current_task_btf, programs::SockContext};
use interceptor_policy::Owner;

use crate::{
    kernel_memory::{constant, kernel_field},
    maps::OWNERS,
    outcome::{ALLOW, DENY, ENOPROTOOPT, fail_with},
    pod::Pod,
    socket::Socket,
};

const IPPROTO_MPTCP: u32 = 262;

/// Keeps with a new socket which owner matches its maker satisfies. Most makers satisfy none, and then nothing is kept.
#[inline(always)]
pub(crate) fn keep_owner(ctx: &SockContext) -> i32 {
    let Some(pod) = Pod::of(ctx.as_ptr()) else {
        return ALLOW; // the pod is not enrolled, so nothing is intercepted
    };
    let Some(socket) = Socket::new(ctx.sock) else {
        return ALLOW; // the context of this program is the socket, which is never null
    };
    let (uid, gid) = credentials();
    let owner = Owner::classify(uid, gid, pod.policy, &pod);
    if owner.is_proxy() && socket.protocol() == IPPROTO_MPTCP {
        // The error is that of a kernel on which MPTCP is switched off. The kernel adds no MPTCP listener to a socket
        // map, so nothing could be redirected to it. Programs that prefer MPTCP, as those in Go do, then use TCP.
        return fail_with(ENOPROTOOPT);
    }
    if owner == Owner::APPLICATION || OWNERS.set(socket, owner) {
        ALLOW
    } else {
        DENY // fail closed: no memory to keep the owner, so the sidecar would be redirected to itself
    }
}

// Offsets, in bytes, which the loader takes from the type information of the running kernel.

/// Of `cred` in `struct task_struct`, a pointer to a `struct cred`.
#[unsafe(no_mangle)]
static TASK_CRED: usize = 0;
/// Of `fsuid` in `struct cred`.
#[unsafe(no_mangle)]
static CRED_FSUID: usize = 0;
/// Of `fsgid` in `struct cred`.
#[unsafe(no_mangle)]
static CRED_FSGID: usize = 0;

/// The user and group that the socket's file gets: `fsuid` and `fsgid`. `-m owner` compares these. The helper
/// `bpf_get_current_uid_gid` returns the real user and group, which differ after `seteuid()`.
#[inline(always)]
fn credentials() -> (u32, u32) {
    // SAFETY: the helper returns the current task.
    let task = unsafe { bpf_get_current_task_btf() };
    let cred = kernel_field!(task, constant!(TASK_CRED) => *const c_void);
    (
        kernel_field!(cred, constant!(CRED_FSUID) => u32),
        kernel_field!(cred, constant!(CRED_FSGID) => u32),
    )
}
