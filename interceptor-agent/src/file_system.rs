// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Whether the BPF file system is still the one in which pods were enrolled. If somebody unmounts it, the kernel ends
//! their interception; they are enrolled again as soon as another one is mounted.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::{enrollments::Enrollments, metrics::Metrics, turns::Turns};

/// Between two looks.
const INTERVAL: Duration = Duration::from_secs(2);
/// From one try to the next, for pods that cannot be enrolled yet.
const RETRY: Duration = Duration::from_secs(10);
/// How long a try may wait for its turn.
const PATIENCE: Duration = Duration::from_mins(1);

/// Looks at the file system, forever.
pub(crate) async fn follow(turns: Turns, metrics: Metrics) {
    // What there was: last time, and when no pod was left to be enrolled again.
    let (mut last, mut settled) = (None, None);
    loop {
        sleep(INTERVAL).await;
        // Without a file system there is nothing to do, and the health of the agent says so.
        let Ok(outline) = turns.outline() else { continue };
        // A command that ends the interception of all pods removes the pins first, and then the records.
        let is_steady = last.replace(outline) == Some(outline);
        if !is_steady || settled == Some(outline) {
            continue;
        }
        match turns.take(Instant::now() + PATIENCE, Enrollments::restore).await {
            Ok(Ok(restored)) => {
                metrics.restored(restored.pods);
                if restored.waiting == 0 {
                    settled = last;
                    continue;
                }
            }
            Ok(Err(error)) => tracing::warn!("Failed to look after pods that are not enrolled any more: {error}"),
            Err(error) => tracing::warn!("Failed to look after pods that are not enrolled any more: {error}"),
        }
        sleep(RETRY).await;
    }
}
