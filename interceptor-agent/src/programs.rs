// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Keeps the kernel programs and shared maps of the node loaded, so that no pod has to wait until the kernel has
//! verified them.

use std::{sync::Arc, time::Duration};

use interceptor::Fitness;
use tokio::{
    task::spawn_blocking,
    time::{Instant, sleep},
};

use crate::{data_path::Kernel, enrollments::Enrollments, turns::Turns};

/// Between two looks.
const INTERVAL: Duration = Duration::from_secs(2);
/// How long loading may wait for its turn.
const PATIENCE: Duration = Duration::from_mins(1);

/// Loads them whenever they are not there, forever; not on a kernel that cannot.
pub(crate) async fn keep(turns: Turns, kernel: Arc<Kernel>) {
    let tried = spawn_blocking(move || kernel.tried().clone()).await;
    if !matches!(tried, Ok(Fitness::Fit)) {
        return; // readiness, or the log, says why
    }
    let mut said = String::new();
    loop {
        // Without a file system there is nothing to do, and readiness says so.
        if matches!(turns.is_kept(), Ok(false)) {
            let kept = turns.take(Instant::now() + PATIENCE, Enrollments::keep).await;
            let why = match kept {
                Ok(Ok(())) => String::new(),
                Ok(Err(error)) => error.to_string(),
                Err(error) => error.to_string(),
            };
            if why.is_empty() {
                tracing::info!("the kernel programs and shared maps are loaded");
            } else if why != said {
                tracing::error!("Failed to load the kernel programs, trying again: {why}");
            }
            said = why;
        }
        sleep(INTERVAL).await;
    }
}
