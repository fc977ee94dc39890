// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Debug output of the kernel programs. It exists in builds with the feature `log` only: otherwise nothing is compiled in.

use interceptor_policy::Reason;

/// Says which reason was counted.
#[inline(always)]
pub(crate) fn reason(netns_cookie: u64, reason: Reason) {
    let _ = (netns_cookie, reason);
}
