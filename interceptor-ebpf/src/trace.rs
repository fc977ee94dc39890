// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Debug output of the kernel programs, in builds with the feature `log` only. Other builds contain no part of it.

use interceptor_policy::Reason;

/// Writes which reason was counted for which pod.
#[cfg(feature = "log")]
#[inline(always)]
pub(crate) fn reason(netns_cookie: u64, reason: Reason) {
    aya_log_ebpf::info!((), "{} {}", netns_cookie, reason as u32);
}

/// Does nothing.
#[cfg(not(feature = "log"))]
#[inline(always)]
pub(crate) const fn reason(_netns_cookie: u64, _reason: Reason) {}
