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
/// Of `tgid` in `struct task_struct`.
#[unsafe(no_mangle)]
static TASK_TGID: usize = 0;
/// Of `comm` in `struct task_struct`: 16 bytes, and a zero among them.
#[unsafe(no_mangle)]
static TASK_COMM: usize = 0;

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

/// The number of the process that runs, in the host's PID namespace, and its name. Programs of all kinds can read both
/// here; the helpers that return them came to most kinds after Linux 6.1.
#[inline(always)]
pub(crate) fn name_of_current_task() -> (u32, [u64; 2]) {
    // SAFETY: the helper returns the current task.
    let task = unsafe { bpf_get_current_task_btf() };
    let command = constant!(TASK_COMM);
    (
        kernel_field!(task, constant!(TASK_TGID) => u32),
        [kernel_field!(task, command => u64), kernel_field!(task, command + size_of::<u64>() => u64)],
    )
}
