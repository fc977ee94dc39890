// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Pods whose end nobody told: a runtime that was killed between ADD and DEL never asks for DEL.

use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior, interval_at};

use crate::{enrollments::Enrollments, metrics::Metrics, turns::Turns};

const INTERVAL: Duration = Duration::from_mins(5);

/// Collects what is left of network namespaces that are gone, every five minutes, forever.
pub(crate) async fn collect(turns: Turns, metrics: Metrics) {
    let mut ticks = interval_at(Instant::now() + INTERVAL, INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let now = ticks.tick().await;
        match turns.take(now + INTERVAL, Enrollments::collect).await {
            Ok(Ok(0)) => {}
            Ok(Ok(pods)) => {
                metrics.collected(pods);
                tracing::info!(pods, "collected pods whose network namespace was gone");
            }
            Ok(Err(error)) => tracing::warn!("Failed to collect pods that are gone: {error}"),
            Err(error) => tracing::warn!("Failed to collect pods that are gone: {error}"),
        }
    }
}
