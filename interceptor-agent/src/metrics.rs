// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What is counted in this process. What is counted in the kernel is in `counters`.

use std::time::Duration;

use prometheus_client::{
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram, info::Info},
    registry::Registry,
};

/// The metrics, for those who count. Clones count together.
#[derive(Clone, Debug)]
pub(crate) struct Metrics {
    adds: Family<Label, Counter>,
    add_seconds: Histogram,
    closed: Family<Label, Counter>,
    collected: Counter,
    restored: Counter,
    unprotected: Gauge,
    refreshed: Family<Label, Counter>,
    unsupported: Family<Label, Counter>,
    repaired: Family<[(&'static str, &'static str); 2], Counter>,
}

/// What became of an ADD.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AddOutcome {
    Enrolled,
    Skipped,
    Refused,
}

/// Why a connection got no proper answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Closed {
    /// Its peer is not root.
    Foreign,
    /// Its peer did not speak, or did not listen.
    Silent,
    /// Its message could not be understood.
    Malformed,
    /// Too many others wait.
    TooMany,
}

/// What a look at the network of a running pod led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RefreshOutcome {
    /// The policy has followed.
    Switched,
    /// What the network had lost was put back.
    Mended,
    Unchanged,
    Failed,
}

/// What was to become of a broken pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RepairMode {
    Repair,
    Delete,
    Label,
}

/// What became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RepairResult {
    Success,
    Skip,
    Fail,
}

/// One label and its value.
type Label = [(&'static str, &'static str); 1];

/// A pod that got rules.
const RULES: Label = [("outcome", "iptables")];
/// A pod that got nothing.
const OPEN: Label = [("outcome", "skipped")];

impl AddOutcome {
    const ALL: [Self; 3] = [Self::Enrolled, Self::Skipped, Self::Refused];

    const fn label(self) -> Label {
        let value = match self {
            Self::Enrolled => "enrolled",
            Self::Skipped => "skipped",
            Self::Refused => "refused",
        };
        [("outcome", value)]
    }
}

impl Closed {
    const ALL: [Self; 4] = [Self::Foreign, Self::Silent, Self::Malformed, Self::TooMany];

    const fn label(self) -> Label {
        let value = match self {
            Self::Foreign => "foreign",
            Self::Silent => "silent",
            Self::Malformed => "malformed",
            Self::TooMany => "too_many",
        };
        [("reason", value)]
    }
}

impl RepairMode {
    const ALL: [Self; 3] = [Self::Repair, Self::Delete, Self::Label];

    const fn label(self) -> &'static str {
        match self {
            Self::Repair => "repair",
            Self::Delete => "delete",
            Self::Label => "label",
        }
    }
}

impl RepairResult {
    const ALL: [Self; 3] = [Self::Success, Self::Skip, Self::Fail];

    const fn label(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Skip => "skip",
            Self::Fail => "fail",
        }
    }
}

impl RefreshOutcome {
    const ALL: [Self; 4] = [Self::Switched, Self::Mended, Self::Unchanged, Self::Failed];

    const fn label(self) -> Label {
        let value = match self {
            Self::Switched => "switched",
            Self::Mended => "mended",
            Self::Unchanged => "unchanged",
            Self::Failed => "failed",
        };
        [("outcome", value)]
    }
}

impl Metrics {
    pub(crate) fn new(registry: &mut Registry) -> Self {
        let metrics = Self {
            adds: Family::default(),
            add_seconds: Histogram::new([0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 8.0]),
            closed: Family::default(),
            collected: Counter::default(),
            restored: Counter::default(),
            unprotected: Gauge::default(),
            refreshed: Family::default(),
            unsupported: Family::default(),
            repaired: Family::default(),
        };
        for outcome in AddOutcome::ALL {
            drop(metrics.adds.get_or_create(&outcome.label()));
        }
        for outcome in RefreshOutcome::ALL {
            drop(metrics.refreshed.get_or_create(&outcome.label()));
        }
        for reason in Closed::ALL {
            drop(metrics.closed.get_or_create(&reason.label()));
        }
        for (kind, result) in RepairMode::ALL
            .iter()
            .flat_map(|kind| RepairResult::ALL.map(|result| (kind, result)))
        {
            let labels = [("type", kind.label()), ("result", result.label())];
            drop(metrics.repaired.get_or_create(&labels));
        }
        registry.register("interceptor_adds", "ADD requests of the plugin", metrics.adds.clone());
        registry.register(
            "interceptor_add_seconds",
            "Seconds from an ADD request to its answer",
            metrics.add_seconds.clone(),
        );
        registry.register(
            "interceptor_refused_connections",
            "Connections to the agent's socket without a proper answer",
            metrics.closed.clone(),
        );
        registry.register(
            "interceptor_gc",
            "Pods that were collected because their network namespace was gone",
            metrics.collected.clone(),
        );
        registry.register(
            "interceptor_pods_restored",
            "Pods that were enrolled again, because the BPF file system was unmounted",
            metrics.restored.clone(),
        );
        registry.register(
            "interceptor_pods_unprotected",
            "Pods with a sidecar that run without interception",
            metrics.unprotected.clone(),
        );
        for outcome in [RULES, OPEN] {
            drop(metrics.unsupported.get_or_create(&outcome));
        }
        registry.register(
            "interceptor_pods_without_programs",
            "Pods with a sidecar that were not enrolled, by what they got: rules of iptables, or nothing",
            metrics.unsupported.clone(),
        );
        registry.register(
            "interceptor_refresh",
            "Looks at the networks of running pods, by what they led to",
            metrics.refreshed.clone(),
        );
        registry.register(
            "istio_cni_repair_pods_repaired",
            "Pods that had started without interception, by what was to become of them and whether it did",
            metrics.repaired.clone(),
        );
        let build = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("interceptor_build", "The build of this agent", build);
        metrics
    }

    pub(crate) fn added(&self, outcome: AddOutcome, took: Duration) {
        self.adds.get_or_create(&outcome.label()).inc();
        self.add_seconds.observe(took.as_secs_f64());
    }

    pub(crate) fn rules_written(&self) {
        self.unsupported.get_or_create(&RULES).inc();
    }

    pub(crate) fn left_open(&self) {
        self.unsupported.get_or_create(&OPEN).inc();
    }

    pub(crate) fn closed(&self, reason: Closed) {
        self.closed.get_or_create(&reason.label()).inc();
    }

    pub(crate) fn refreshed(&self, outcome: RefreshOutcome) {
        self.refreshed.get_or_create(&outcome.label()).inc();
    }

    pub(crate) fn repaired(&self, kind: RepairMode, result: RepairResult) {
        self.repaired
            .get_or_create(&[("type", kind.label()), ("result", result.label())])
            .inc();
    }

    pub(crate) fn set_unprotected(&self, pods: usize) {
        self.unprotected.set(i64::try_from(pods).unwrap_or(i64::MAX));
    }

    pub(crate) fn restored(&self, pods: usize) {
        self.restored.inc_by(pods as u64);
    }

    pub(crate) fn collected(&self, pods: usize) {
        self.collected.inc_by(pods as u64);
    }
}
