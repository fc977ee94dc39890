// SPDX-License-Identifier: Apache-2.0 OR MIT
use aya_ebpf::{EbpfContext as _, helpers::bpf_get_current_uid_gid, programs::SockContext};
use interceptor_policy::Owner;

use crate::{maps::OWNERS, pod::Pod, socket::Socket};

/// `socket()` goes on.
const ALLOW: i32 = 1;
/// `socket()` fails with `EPERM`.
const DENY: i32 = 0;

/// Notes on a new socket which owner matches its maker satisfies. Most satisfy none, and get no note.
#[inline(always)]
#[expect(clippy::cast_possible_truncation, reason = "two 32-bit numbers come in one word")]
pub(crate) fn note(ctx: &SockContext) -> i32 {
    let Some(pod) = Pod::of(ctx.as_ptr()) else {
        return ALLOW; // not enrolled: nothing to note
    };
    let Some(socket) = Socket::new(ctx.sock) else {
        return ALLOW; // the context of this program is the socket; it is never null
    };
    let ids = bpf_get_current_uid_gid();
    let owner = Owner::classify(ids as u32, (ids >> 32) as u32, pod.policy, &pod);
    if owner == Owner::APPLICATION || OWNERS.set(socket, owner) {
        ALLOW
    } else {
        // No memory for the note: the sidecar would be redirected to itself, so it does not get the socket.
        DENY
    }
}
