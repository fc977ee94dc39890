// SPDX-License-Identifier: Apache-2.0 OR MIT
//! One agent for one run directory: two would remove each other's records. The kernel releases the lock when its
//! holder dies.

use std::{fs::File, time::Duration};

use anyhow::{Context as _, Result, bail};
use interceptor::records::RunDirectory;
use nix::fcntl::{Flock, FlockArg};
use tokio::time::{Instant, sleep};

/// How long an agent that is ending may still hold the run directory.
const PREDECESSOR: Duration = Duration::from_secs(15);
/// Between two looks at it.
const PAUSE: Duration = Duration::from_millis(50);

/// Holds the run directory as long as it lives.
#[derive(Debug)]
pub(crate) struct Alone {
    _lock: Flock<File>,
}

impl Alone {
    /// `None` while another agent has it.
    pub(crate) fn now(run_directory: &RunDirectory) -> Result<Option<Self>> {
        let path = run_directory.path().display();
        let directory = run_directory.try_clone().with_context(|| format!("Failed to open {path}"))?;
        match Flock::lock(File::from(directory), FlockArg::LockExclusiveNonblock) {
            Ok(lock) => Ok(Some(Self { _lock: lock })),
            Err((_, nix::Error::EWOULDBLOCK | nix::Error::EINTR)) => Ok(None),
            Err((_, errno)) => Err(errno).with_context(|| format!("Failed to lock {path}")),
        }
    }

    /// Waits for an agent that is ending.
    pub(crate) async fn soon(run_directory: &RunDirectory) -> Result<Self> {
        let deadline = Instant::now() + PREDECESSOR;
        loop {
            if let Some(alone) = Self::now(run_directory)? {
                return Ok(alone);
            }
            if Instant::now() >= deadline {
                bail!(
                    "Another agent runs with {}; end it first, or name another directory with --run-dir",
                    run_directory.path().display()
                );
            }
            sleep(PAUSE).await;
        }
    }
}
