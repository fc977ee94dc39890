// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Urgent data (`MSG_OOB`) on an accelerated socket: makes its direction fall back to TCP. It sends nothing itself.

use core::ffi::c_void;

use aya_ebpf::programs::FEntryContext;

use crate::{
    kernel_memory::{constant, kernel_field},
    maps::SOCKET_STATE,
    socket::Socket,
};

const MSG_OOB: u32 = 0x1;

/// Offset of `msg_flags` in `struct msghdr`, in bytes, which the loader takes from the type information of the running
/// kernel.
#[unsafe(no_mangle)]
static MSGHDR_FLAGS: usize = 0;

/// Runs before the send function of sockets in socket maps (`tcp_bpf_sendmsg`). Marks the socket if the data is urgent,
/// because the program for messages cannot see that flag.
#[inline(always)]
pub(crate) fn mark(ctx: &FEntryContext) {
    let sk: *mut c_void = ctx.arg(0);
    let message: *const c_void = ctx.arg(1);
    if kernel_field!(message, constant!(MSGHDR_FLAGS) => u32) & MSG_OOB == 0 {
        return; // ordinary data
    }
    if let Some(socket) = Socket::new(sk.cast())
        && let Some(state) = SOCKET_STATE.get_ptr(socket)
    {
        // SAFETY: the value lives as long as the socket.
        let urgent = unsafe { &raw mut (*state.as_ptr()).urgent };
        // SAFETY: as above. Programs only ever set this field.
        unsafe { urgent.write_volatile(1) };
    }
}
