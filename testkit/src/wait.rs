// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Waiting for conditions. No test is decided by how long something took.

use std::{
    env,
    sync::OnceLock,
    time::{Duration, Instant},
};

use nix::poll::{PollTimeout, poll};

/// How many seconds to wait instead of a minute, where everything is slow.
const VARIABLE: &str = "INTERCEPTOR_TEST_TIMEOUT";

/// How long a condition may take before the test fails. Far longer than any of them needs.
pub fn timeout() -> Duration {
    static TIMEOUT: OnceLock<Duration> = OnceLock::new();
    *TIMEOUT.get_or_init(|| {
        let seconds =
            env::var(VARIABLE).map(|text| text.parse().unwrap_or_else(|error| panic!("{VARIABLE}={text}: {error}")));
        seconds.map_or(Duration::from_mins(1), Duration::from_secs)
    })
}

/// Between two looks at a condition.
const PAUSE: Duration = Duration::from_millis(2);

/// Returns as soon as `condition` holds; panics, naming it, when it does not within [`timeout`].
pub fn wait_until(what: &str, condition: impl FnMut() -> bool) {
    try_wait_until(what, condition).unwrap_or_else(|error| panic!("{error}"));
}

/// Returns an error after [`timeout`] instead of panicking, for those that clean up after a panic.
pub fn try_wait_until(what: &str, mut condition: impl FnMut() -> bool) -> Result<(), String> {
    let deadline = Instant::now() + timeout();
    while !condition() {
        if Instant::now() >= deadline {
            return Err(format!("timed out after {:?}: {what}", timeout()));
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
