// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What is counted.

use std::{
    fmt,
    sync::atomic::AtomicU64,
    time::{Duration, SystemTime},
};

use interceptor_inject::Reason;
use prometheus_client::{
    encoding::text,
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram, info::Info},
    registry::Registry,
};

use crate::review::Decision;

/// The metrics, for those who count. Clones count together.
#[derive(Clone, Debug)]
pub(crate) struct Metrics {
    reviews: Family<Label, Counter>,
    left_alone: Family<Label, Counter>,
    seconds: Histogram,
    refused: Family<[(&'static str, u16); 1], Counter>,
    expiry: Gauge<f64, AtomicU64>,
    certificate_failures: Counter,
    bundles: Counter,
}

/// One label and its value.
type Label = [(&'static str, &'static str); 1];

const OUTCOMES: [&str; 6] = ["rewritten", "injected", "unchanged", "left_alone", "failed", "denied"];

/// What `/metrics` answers before anything has happened, as text in the format `OpenMetrics`. Documents, alerts and
/// dashboards are compared with it. Status 400 stands for those that clients are answered with.
///
/// # Errors
/// None that is known: the text is written to memory.
pub fn idle_metrics() -> Result<String, fmt::Error> {
    let mut registry = Registry::default();
    let metrics = Metrics::new(&mut registry);
    drop(metrics.refused.get_or_create(&[("status", 400)]));
    let mut answer = String::new();
    text::encode(&mut answer, &registry)?;
    Ok(answer)
}

impl Metrics {
    pub(crate) fn new(registry: &mut Registry) -> Self {
        let metrics = Self {
            reviews: Family::default(),
            left_alone: Family::default(),
            seconds: Histogram::new([0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1.0]),
            refused: Family::default(),
            expiry: Gauge::default(),
            certificate_failures: Counter::default(),
            bundles: Counter::default(),
        };
        for outcome in OUTCOMES {
            drop(metrics.reviews.get_or_create(&[("outcome", outcome)]));
        }
        for reason in Reason::LABELS {
            drop(metrics.left_alone.get_or_create(&[("reason", reason)]));
        }
        registry.register(
            "interceptor_webhook_reviews",
            "Reviews, by what became of the pod",
            metrics.reviews.clone(),
        );
        registry.register(
            "interceptor_webhook_left_alone",
            "Pods that were left alone, by the reason",
            metrics.left_alone.clone(),
        );
        registry.register(
            "interceptor_webhook_review_seconds",
            "Seconds from a review to its answer, without the network",
            metrics.seconds.clone(),
        );
        registry.register(
            "interceptor_webhook_refused_requests",
            "Requests that were no review, by the status of the answer",
            metrics.refused.clone(),
        );
        registry.register(
            "interceptor_webhook_certificate_expiry_timestamp_seconds",
            "When the certificate expires that is shown; 0 if there is none yet",
            metrics.expiry.clone(),
        );
        registry.register(
            "interceptor_webhook_certificate_failures",
            "Failures to read, to make or to publish the certificate",
            metrics.certificate_failures.clone(),
        );
        registry.register(
            "interceptor_webhook_ca_bundle_patches",
            "Changes of the caBundle in the MutatingWebhookConfiguration",
            metrics.bundles.clone(),
        );
        let build = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("interceptor_webhook_build", "The build of this webhook", build);
        metrics
    }

    pub(crate) fn reviewed(&self, decision: &Decision, took: Duration) {
        let outcome = match decision {
            Decision::Changed { done, .. } => done,
            Decision::Unchanged => "unchanged",
            Decision::LeftAlone(_) => "left_alone",
            Decision::Failed(_) => "failed",
            Decision::Denied { .. } => "denied",
        };
        self.reviews.get_or_create(&[("outcome", outcome)]).inc();
        if let Decision::LeftAlone(reason) = decision {
            self.left_alone.get_or_create(&[("reason", reason.label())]).inc();
        }
        self.seconds.observe(took.as_secs_f64());
    }

    pub(crate) fn refused(&self, status: u16) {
        self.refused.get_or_create(&[("status", status)]).inc();
    }

    pub(crate) fn expires(&self, at: SystemTime) {
        let since = at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        self.expiry.set(since.as_secs_f64());
    }

    pub(crate) fn certificate_failed(&self) {
        self.certificate_failures.inc();
    }

    pub(crate) fn bundle_patched(&self) {
        self.bundles.inc();
    }
}
