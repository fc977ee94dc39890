// SPDX-License-Identifier: Apache-2.0 OR MIT
use aya_ebpf::{
    EbpfContext as _,
    helpers::generated::{bpf_get_current_task_btf, bpf_set_retval},
    programs::SockContext,
};
use interceptor_policy::Owner;

use crate::{maps::OWNERS, pod::Pod, socket::Socket};

/// `socket()` goes on.
const ALLOW: i32 = 1;
/// `socket()` fails with `EPERM`.
const DENY: i32 = 0;

const IPPROTO_MPTCP: u32 = 262;
const ENOPROTOOPT: i32 = 92;

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
    if owner.is_proxy() && socket.protocol() == IPPROTO_MPTCP {
        // As where MPTCP is switched off. The kernel takes no MPTCP listener into a socket map, so nothing could be
        // redirected to it; programs that prefer MPTCP, as those in Go do, then use TCP. SAFETY: sets the result of the
        // system call, nothing else. Were it to fail, `DENY` alone is EPERM.
        unsafe { bpf_set_retval(-ENOPROTOOPT) };
        return DENY;
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
static TASK_CRED: u64 = 0;
#[unsafe(no_mangle)]
static CRED_FSUID: u64 = 0;
#[unsafe(no_mangle)]
static CRED_FSGID: u64 = 0;

/// Adds an offset that the loader has set to a pointer into the kernel's memory.
macro_rules! field {
    ($base:expr, $offset:ident) => {{
        // SAFETY: a read of a constant; volatile, because the compiler only knows its initial value.
        let offset = unsafe { core::ptr::read_volatile(&raw const $offset) };
        let field = $base.wrapping_byte_add(offset as usize);
        // SAFETY: the verifier checks the offset against the kernel's type information.
        unsafe { field.read_volatile() }
    }};
}

/// The user and group that the socket's file gets: `fsuid` and `fsgid`, which are those that `-m owner` compares. The
/// helper `bpf_get_current_uid_gid` tells the real ones, which differ after `seteuid()`.
#[inline(always)]
#[expect(clippy::cast_possible_truncation, reason = "the kernel's words have 64 bits")]
fn maker() -> (u32, u32) {
    // SAFETY: returns the current task.
    let task = unsafe { bpf_get_current_task_btf() }.cast::<*const u32>();
    let cred: *const u32 = field!(task, TASK_CRED);
    (field!(cred, CRED_FSUID), field!(cred, CRED_FSGID))
}
