// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `socket()`: keeps with a new socket what the rules ask about its maker. Fails closed: a socket of the sidecar that
//! cannot be told from one of the application is not made.

use aya_ebpf::{EbpfContext as _, programs::SockContext};
use interceptor_policy::Owner;

use crate::{
    credentials,
    maps::OWNERS,
    outcome::{ALLOW, DENY, ENOPROTOOPT, fail_with},
    pod::Pod,
    socket::Socket,
};

const IPPROTO_MPTCP: u32 = 262;

/// Keeps with a new socket which owner matches its maker satisfies. Most makers satisfy none, and then nothing is kept.
#[inline(always)]
pub(crate) fn keep_owner(ctx: &SockContext) -> i32 {
    let Some(pod) = Pod::of(ctx.as_ptr()) else {
        return ALLOW; // the pod is not enrolled, so nothing is intercepted
    };
    let Some(socket) = Socket::new(ctx.sock) else {
        return ALLOW; // the context of this program is the socket, which is never null
    };
    let (uid, gid) = credentials::of_current_task();
    let owner = Owner::classify(uid, gid, pod.policy, &pod);
    if owner.is_proxy() && socket.protocol() == IPPROTO_MPTCP {
        // The error is that of a kernel on which MPTCP is switched off. The kernel adds no MPTCP listener to a socket
        // map, so nothing could be redirected to it. Programs that prefer MPTCP, as those in Go do, then use TCP.
        return fail_with(ENOPROTOOPT);
    }
    if owner == Owner::APPLICATION || OWNERS.set(socket, owner) {
        ALLOW
    } else {
        DENY // fail closed: no memory to keep the owner, so the sidecar would be redirected to itself
    }
}
