// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The user and group that `-m owner` compares, of whoever makes a socket. It knows no rule.

use core::ffi::c_void;

use aya_ebpf::helpers::generated::bpf_get_current_task_btf;

use crate::kernel_memory::{constant, kernel_field};

// Offsets, in bytes, which the loader takes from the type information of the running kernel.

/// Of `cred` in `struct task_struct`, a pointer to a `struct cred`.
#[unsafe(no_mangle)]
static TASK_CRED: usize = 0;
/// Of `fsuid` in `struct cred`.
#[unsafe(no_mangle)]
pub(crate) static CRED_FSUID: usize = 0;
/// Of `fsgid` in `struct cred`.
#[unsafe(no_mangle)]
pub(crate) static CRED_FSGID: usize = 0;

/// The user and group that the socket's file gets: `fsuid` and `fsgid`. `-m owner` compares these. The helper
/// `bpf_get_current_uid_gid` returns the real user and group, which differ after `seteuid()`.
#[inline(always)]
pub(crate) fn of_current_task() -> (u32, u32) {
    // SAFETY: the helper returns the current task.
    let task = unsafe { bpf_get_current_task_btf() };
    let cred = kernel_field!(task, constant!(TASK_CRED) => *const c_void);
    (
        kernel_field!(cred, constant!(CRED_FSUID) => u32),
        kernel_field!(cred, constant!(CRED_FSGID) => u32),
    )
}
