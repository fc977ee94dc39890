// SPDX-License-Identifier: Apache-2.0 OR MIT
use aya_ebpf::{bindings::bpf_sockopt, helpers::generated::bpf_set_retval, programs::SockoptContext};
use interceptor_policy::Reason;

use crate::{maps::SOCKET_STATE, pod::Pod, socket::Socket};

/// `setsockopt()` goes on.
const ALLOW: i32 = 1;
/// `setsockopt()` fails.
const DENY: i32 = 0;

const SOL_TCP: i32 = 6;
const TCP_ULP: i32 = 31;
const ENOENT: i32 = 2;

macro_rules! field {
    ($sockopt:expr, $field:ident) => {
        // SAFETY: the context is valid while the program runs, and the verifier checks offset and size.
        unsafe { core::ptr::read_volatile(&raw const (*$sockopt).$field) }
    };
}

/// Refuses an upper-layer protocol to sockets in the table: kTLS on sockets in socket maps has crashed kernels
/// ([CVE-2025-38166](https://www.cve.org/CVERecord?id=CVE-2025-38166)). The answer is that of a kernel without it, at
/// which TLS libraries do the work themselves.
#[inline(always)]
pub(crate) fn refuse(ctx: &SockoptContext) -> i32 {
    let sockopt: *mut bpf_sockopt = ctx.sockopt;
    if field!(sockopt, level) != SOL_TCP || field!(sockopt, optname) != TCP_ULP {
        return ALLOW; // something else
    }
    // SAFETY: the context is valid while the program runs.
    let sk = unsafe { &raw const (*sockopt).__bindgen_anon_1 }.cast();
    // SAFETY: the union holds a pointer.
    let Some(socket) = Socket::new(unsafe { core::ptr::read_volatile(sk) }) else {
        return ALLOW; // the context of this program always has a socket
    };
    let Some(end) = SOCKET_STATE.get(socket) else {
        return ALLOW; // not in the table
    };
    if let Some(pod) = Pod::enrolled(end.key.netns_cookie) {
        pod.count(Reason::AccelerationUlpRefused);
    }
    // SAFETY: sets the result of the system call, nothing else. Were it to fail, `DENY` alone is EPERM.
    unsafe { bpf_set_retval(-ENOENT) };
    DENY
}
