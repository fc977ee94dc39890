// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The metrics of an agent that has done nothing. Documents, alerts and dashboards are compared with them, so that none
//! names a metric that there is not. No agent runs this.

use std::fmt;

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, text},
    registry::Registry,
};

use crate::{
    counters::{self, Counts},
    health,
    installer::Counted,
    metrics::Metrics,
};

/// What `/metrics` answers before anything has happened, as text in the format `OpenMetrics`.
///
/// # Errors
/// None that is known: the text is written to memory.
pub fn idle_metrics() -> Result<String, fmt::Error> {
    let mut registry = Registry::default();
    drop(Metrics::new(&mut registry));
    registry.register_collector(Box::new(Idle));
    let mut answer = String::new();
    text::encode(&mut answer, &registry)?;
    Ok(answer)
}

/// Stands for the collectors that look at the node.
#[derive(Debug)]
struct Idle;

impl Collector for Idle {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        counters::encode(&mut encoder, 0, &Counts::new())?;
        Counted::default().encode(&mut encoder, false)?;
        health::encode(&mut encoder, &[])
    }
}
