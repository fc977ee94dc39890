// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Waiting for conditions. No test is decided by how long something took.

use std::time::{Duration, Instant};

use nix::poll::{PollTimeout, poll};

/// How long a condition may take before the test fails. Far longer than any of them needs.
pub const PATIENCE: Duration = Duration::from_mins(1);

/// Between two looks at a condition.
const PAUSE: Duration = Duration::from_millis(2);

/// Returns as soon as `condition` holds; panics, naming it, when it does not within [`PATIENCE`].
pub fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "waited {PATIENCE:?} in vain: {what}");
        pause(PAUSE);
    }
}

/// Lets other processes run for about `duration`.
pub(crate) fn pause(duration: Duration) {
    let timeout = PollTimeout::try_from(duration).unwrap_or(PollTimeout::MAX);
    // Woken early by a signal is as good: every caller looks again.
    poll(&mut [], timeout).unwrap_or_default();
}
