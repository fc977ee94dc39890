// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What is done with pods, and what becomes of those with which it cannot be done.

use interceptor_inject::{Outcome, Plain, Rewrite};
use serde_json::Value;

/// What is done with each pod.
#[derive(Clone, Debug)]
pub(crate) enum Work {
    Rewrite(Rewrite),
    Plain(Plain),
}

/// What becomes of a pod that cannot be changed as it is to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OnFault {
    /// It starts as it is, because Istio's rules intercept it.
    Allow,
    /// It does not start, because nothing would intercept it.
    Deny,
}

impl Work {
    /// What a changed pod is called in the log and in the metrics.
    pub(crate) const fn done(&self) -> &'static str {
        match self {
            Self::Rewrite(_) => "rewritten",
            Self::Plain(_) => "injected",
        }
    }

    pub(crate) const fn on_fault(&self) -> OnFault {
        match self {
            Self::Rewrite(_) => OnFault::Allow,
            Self::Plain(_) => OnFault::Deny,
        }
    }

    /// A pod that names no namespace is in the one of the review.
    pub(crate) fn apply(&self, pod: &Value, namespace: &str) -> Result<Outcome, String> {
        match self {
            Self::Rewrite(rewrite) => rewrite.apply(pod).map_err(|malformed| malformed.to_string()),
            Self::Plain(plain) => plain.apply_in(pod, namespace).map_err(|error| error.to_string()),
        }
    }
}
