// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Waiting for conditions. No test is decided by how long something took.

use std::time::{Duration, Instant};

use nix::poll::{PollTimeout, poll};

/// How long a condition may take before the test fails. Far longer than any of them needs.
pub const PATIENCE: Duration = Duration::from_mins(1);

/// Between two looks at a condition.
const PAUSE: Duration = Duration::from_millis(2);

/// Returns as soon as `condition` holds; panics, naming it, when it does not within [`PATIENCE`].
pub fn wait_until(what: &str, condition: impl FnMut() -> bool) {
    try_wait_until(what, condition).unwrap_or_else(|error| panic!("{error}"));
}

/// Says that it was in vain instead of panicking, for those that clean up after a panic.
pub(crate) fn try_wait_until(what: &str, mut condition: impl FnMut() -> bool) -> Result<(), String> {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        if Instant::now() >= deadline {
            return Err(format!("waited {PATIENCE:?} in vain: {what}"));
        }
        pause();
    }
    Ok(())
}

/// Lets other processes run.
fn pause() {
    let timeout = PollTimeout::try_from(PAUSE).unwrap_or(PollTimeout::ZERO);
    // Woken early by a signal is as good: every caller looks again.
    poll(&mut [], timeout).unwrap_or_default();
}
