// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `socket()`: keeps with a socket what the rules ask about its maker.

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

/// Notes on a new socket which owner matches its maker satisfies. Most satisfy none, and get no note.
#[inline(always)]
pub(crate) fn keep_owner(ctx: &SockContext) -> i32 {
    let Some(pod) = Pod::of(ctx.as_ptr()) else {
        return ALLOW; // not enrolled: nothing to note
    };
    let Some(socket) = Socket::new(ctx.sock) else {
        return ALLOW; // the context of this program is the socket; it is never null
    };
    let (uid, gid) = credentials();
    let owner = Owner::classify(uid, gid, pod.policy, &pod);
    if owner.is_proxy() && socket.protocol() == IPPROTO_MPTCP {
        // As where MPTCP is switched off. The kernel takes no MPTCP listener into a socket map, so nothing could be
        // redirected to it; programs that prefer MPTCP, as those in Go do, then use TCP.
        return fail_with(ENOPROTOOPT);
    }
    if owner == Owner::APPLICATION || OWNERS.set(socket, owner) {
        ALLOW
    } else {
        // No memory for the note: the sidecar would be redirected to itself, so it does not get the socket.
        DENY
    }
}

/// Where the running kernel keeps the credentials, in bytes; set by the loader from the kernel's type information.
#[unsafe(no_mangle)]
static TASK_CRED: usize = 0;
#[unsafe(no_mangle)]
static CRED_FSUID: usize = 0;
#[unsafe(no_mangle)]
static CRED_FSGID: usize = 0;

/// The user and group that the socket's file gets: `fsuid` and `fsgid`, which are those that `-m owner` compares. The
/// helper `bpf_get_current_uid_gid` tells the real ones, which differ after `seteuid()`.
#[inline(always)]
fn credentials() -> (u32, u32) {
    // SAFETY: returns the current task.
    let task = unsafe { bpf_get_current_task_btf() };
    let cred = kernel_field!(task, constant!(TASK_CRED) => *const c_void);
    (
        kernel_field!(cred, constant!(CRED_FSUID) => u32),
        kernel_field!(cred, constant!(CRED_FSGID) => u32),
    )
}
