// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What a program answers, and how a system call fails. It decides nothing.

use aya_ebpf::helpers::generated::bpf_set_retval;
use interceptor_policy::ConnectError;

/// The system call continues, with the values in the context.
pub(crate) const ALLOW: i32 = 1;
/// The system call fails: with `EPERM`, unless the program has set another error.
pub(crate) const DENY: i32 = 0;
/// The only answer that the kernel accepts after the system call has done its work. The context holds the result.
pub(crate) const DONE: i32 = 1;
/// The answer of a `sock_ops` program to a callback. The kernel does not read it.
pub(crate) const CALLBACK_DONE: u32 = 1;

pub(crate) const ENOENT: i32 = 2;
pub(crate) const EINVAL: i32 = 22;
pub(crate) const ENOPROTOOPT: i32 = 92;
pub(crate) const EADDRINUSE: i32 = 98;
pub(crate) const EADDRNOTAVAIL: i32 = 99;
/// As helpers return it.
pub(crate) const EEXIST: i64 = -17;

/// Refuses a connection, as a port does on which nobody listens.
#[inline(always)]
pub(crate) fn refuse() -> i32 {
    fail_with(ConnectError::Refused.errno())
}

/// Lets the system call fail with `errno`.
#[inline(always)]
pub(crate) fn fail_with(errno: i32) -> i32 {
    // SAFETY: sets the result of the system call, nothing else. If it fails, `DENY` alone still is EPERM.
    unsafe { bpf_set_retval(-errno) };
    DENY
}
