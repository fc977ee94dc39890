// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `setsockopt(TCP_ULP)` in a pod with `--accelerate`: keeps kTLS away from accelerated sockets. No other option is
//! touched.

use aya_ebpf::programs::SockoptContext;
use interceptor_policy::Reason;

use crate::{
    ctx::{field, pointer_field},
    maps::SOCKET_STATE,
    outcome::{ALLOW, ENOENT, fail_with},
    pod::Pod,
    socket::Socket,
};

const SOL_TCP: i32 = 6;
const TCP_ULP: i32 = 31;

/// Refuses an upper-layer protocol to accelerated sockets: kTLS on a socket in a socket map has crashed kernels
/// ([CVE-2025-38166](https://www.cve.org/CVERecord?id=CVE-2025-38166)). The error is that of a kernel without kTLS. TLS
/// libraries then encrypt by themselves.
#[inline(always)]
pub(crate) fn refuse(ctx: &SockoptContext) -> i32 {
    let sockopt = ctx.sockopt;
    if field!(sockopt, level) != SOL_TCP || field!(sockopt, optname) != TCP_ULP {
        return ALLOW; // another option
    }
    let Some(socket) = Socket::new(pointer_field!(sockopt, __bindgen_anon_1)) else {
        return ALLOW; // the context of this program always has a socket
    };
    let Some(state) = SOCKET_STATE.get(socket) else {
        return ALLOW; // the socket is not accelerated
    };
    if let Some(pod) = Pod::enrolled(state.key.netns_cookie) {
        pod.count(Reason::AccelerationUlpRefused);
    }
    fail_with(ENOENT)
}
