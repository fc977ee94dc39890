// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Runs that write rules in one pod exclude each other. Runs in different pods have nothing to wait for.

use std::{
    fs::File,
    path::PathBuf,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use nix::{
    fcntl::{Flock, FlockArg},
    poll::{PollTimeout, poll},
};

use crate::{EnrollError, Netns};

/// How long to wait between two tries, in milliseconds.
const PAUSE: u16 = 10;

/// Held while rules are written. What is locked is the network namespace itself, as Istio's CNI plugin does.
#[derive(Debug)]
pub(super) struct NetnsLock {
    _file: Flock<File>,
}

impl NetnsLock {
    /// Takes the lock. Fails with [`EnrollError::Busy`] if another process still holds it after `wait`.
    pub(super) fn take(netns: &Netns, wait: Duration) -> Result<Self> {
        let deadline = Instant::now() + wait;
        let name = netns.name();
        let mut file = netns.file().try_clone().with_context(|| format!("Failed to open {name}"))?;
        loop {
            file = match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
                Ok(file) => return Ok(Self { _file: file }),
                Err((file, nix::Error::EWOULDBLOCK | nix::Error::EINTR)) => file,
                Err((_, errno)) => return Err(errno).with_context(|| format!("Failed to lock {name}")),
            };
            if Instant::now() >= deadline {
                return Err(EnrollError::Busy { path: PathBuf::from(name), waited: wait, holder: None }.into());
            }
            // A signal only makes the next try come earlier.
            poll(&mut [], PollTimeout::from(PAUSE)).unwrap_or_default();
        }
    }
}
