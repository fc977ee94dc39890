// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Pods whose end nobody told: a runtime that was killed between ADD and DEL never asks for DEL.

use std::{future, time::Duration};

use tokio::time::{Instant, sleep, timeout};

use crate::{enrollments::Enrollments, metrics::Metrics, namespaces::Ends, turns::Turns};

/// Without any sign.
const INTERVAL: Duration = Duration::from_mins(5);
/// After the end of a network namespace: its pod's DEL is on its way, and others may end as well.
const PAUSE: Duration = Duration::from_secs(1);

/// Collects what is left of network namespaces that are gone, when one ends and every five minutes, forever.
pub(crate) async fn collect(turns: Turns, metrics: Metrics) {
    let mut ends = Ends::listen()
        .inspect_err(|error| {
            tracing::warn!("Failed to hear of the ends of network namespaces, looking every five minutes: {error}");
        })
        .ok();
    loop {
        let end = async {
            match &mut ends {
                Some(ends) => ends.next().await,
                None => future::pending().await,
            }
        };
        if timeout(INTERVAL, end).await.is_ok() {
            sleep(PAUSE).await;
        }
        match turns.take(Instant::now() + INTERVAL, Enrollments::collect).await {
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
