// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Urgent data (`MSG_OOB`) on an accelerated socket.

use core::ffi::c_void;

use aya_ebpf::programs::FEntryContext;

use crate::{
    kernel_memory::{constant, kernel_field},
    maps::SOCKET_STATE,
    socket::Socket,
};

const MSG_OOB: u32 = 0x1;

/// Where the running kernel keeps `msg_flags` in `struct msghdr`; set by the loader from the kernel's type information.
#[unsafe(no_mangle)]
static MSGHDR_FLAGS: usize = 0;

/// Before the send function of sockets in socket maps (`tcp_bpf_sendmsg`): notes that the data is urgent, which the
/// program for messages cannot see.
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
        // SAFETY: as above; this field is only ever set.
        unsafe { urgent.write_volatile(1) };
    }
}
