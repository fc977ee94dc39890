// SPDX-License-Identifier: Apache-2.0 OR MIT
use aya_ebpf::{EbpfContext as _, helpers::generated::bpf_get_current_task_btf, programs::SockContext};
use interceptor_policy::Owner;

use crate::{maps::OWNERS, pod::Pod, socket::Socket};

/// `socket()` goes on.
const ALLOW: i32 = 1;
/// `socket()` fails with `EPERM`.
const DENY: i32 = 0;

/// Notes on a new socket which owner matches its maker satisfies. Most satisfy none, and get no note.
#[inline(always)]
pub(crate) fn note(ctx: &SockContext) -> i32 {
    let Some(pod) = Pod::of(ctx.as_ptr()) else {
        return ALLOW; // not enrolled: nothing to note
    };
    let Some(socket) = Socket::new(ctx.sock) else {
        return ALLOW; // the context of this program is the socket; it is never null
    };
    let (uid, gid) = maker();
    let owner = Owner::classify(uid, gid, pod.policy, &pod);
    if owner == Owner::APPLICATION || OWNERS.set(socket, owner) {
        ALLOW
    } else {
        // No memory for the note: the sidecar would be redirected to itself, so it does not get the socket.
        DENY
    }
}

/// Where the running kernel keeps the credentials, in bytes; set by the loader from the kernel's type information.
#[unsafe(no_mangle)]
static TASK_CRED: u64 = 0;
#[unsafe(no_mangle)]
static CRED_FSUID: u64 = 0;
#[unsafe(no_mangle)]
static CRED_FSGID: u64 = 0;

macro_rules! constant {
    ($name:ident) => {
        // SAFETY: a read of a constant that the loader sets; volatile, because the compiler only knows its initial value.
        unsafe { core::ptr::read_volatile(&raw const $name) } as usize
    };
}

/// The user and group that the socket's file gets: `fsuid` and `fsgid`, which are those that `-m owner` compares. The helper
/// `bpf_get_current_uid_gid` tells the real ones, which differ after `seteuid()`.
#[inline(always)]
fn maker() -> (u32, u32) {
    // SAFETY: returns the current task.
    let task = unsafe { bpf_get_current_task_btf() }.cast::<u8>();
    let field = task.wrapping_add(constant!(TASK_CRED)).cast::<*const u8>();
    // SAFETY: a field of the current task; the verifier checks its offset against the kernel's type information.
    let cred = unsafe { field.read_volatile() };
    let field = cred.wrapping_add(constant!(CRED_FSUID)).cast::<u32>();
    // SAFETY: a field of the task's credentials, checked likewise.
    let uid = unsafe { field.read_volatile() };
    let field = cred.wrapping_add(constant!(CRED_FSGID)).cast::<u32>();
    // SAFETY: as above.
    let gid = unsafe { field.read_volatile() };
    (uid, gid)
}
