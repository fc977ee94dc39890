// SPDX-License-Identifier: Apache-2.0 OR MIT
//! An `AdmissionReview`, from bytes to bytes
//! ([reference](https://kubernetes.io/docs/reference/access-authn-authz/extensible-admission-controllers/)). Whatever
//! becomes of the rewrite, the pod is allowed: what is refused here is only what is no review.

mod answer;
mod decision;
mod refused;
mod request;
mod values;

use std::panic::{AssertUnwindSafe, catch_unwind};

use interceptor_inject::{Malformed, Outcome, Verdict};
use serde_json::Value;

use self::request::{Request, Review};
pub(crate) use self::{decision::Decision, refused::Refused};

/// What is done with a pod.
pub(crate) type Change<'a> = &'a dyn Fn(&Value) -> Result<Outcome, Malformed>;

/// The answer, and what it says.
#[derive(Debug)]
pub(crate) struct Reviewed {
    /// An `AdmissionReview` in JSON.
    pub(crate) body: Vec<u8>,
    pub(crate) decision: Decision,
    /// Kind, namespace and name of the pod, for the log.
    pub(crate) title: String,
}

/// Answers a review. Equal bodies have equal answers.
pub(crate) fn review(body: &[u8], change: Change<'_>) -> Result<Reviewed, Refused> {
    if body.is_empty() {
        return Err(Refused::Empty);
    }
    if !values::are_few(body) {
        return Err(Refused::TooManyValues);
    }
    let review = Review::read(body)?;
    let (decision, new) = decide(&review.request, change);
    let body = answer::write(&review, &decision, new.as_ref());
    Ok(Reviewed { body, decision, title: review.request.title() })
}

/// What becomes of the object of a request, and the object after that if it is another.
fn decide(request: &Request, change: Change<'_>) -> (Decision, Option<Value>) {
    if !request.is_creation() {
        return (Decision::Unchanged, None);
    }
    let Some(pod) = request.pod() else {
        return (
            Decision::Failed("this is no pod; the rules of the webhook are to name pods only".to_owned()),
            None,
        );
    };
    // A fault of ours is not to keep a pod from starting.
    match catch_unwind(AssertUnwindSafe(|| change(pod))) {
        Ok(Ok(outcome)) => of_outcome(outcome),
        Ok(Err(malformed)) => (Decision::Failed(malformed.to_string()), None),
        Err(_panic) => (
            Decision::Failed("the rewrite broke, as the log says; please report it".to_owned()),
            None,
        ),
    }
}

fn of_outcome(Outcome { manifest, workloads }: Outcome) -> (Decision, Option<Value>) {
    match workloads.into_iter().next().map(|workload| workload.verdict) {
        Some(Verdict::Changed { warnings }) => (Decision::Rewritten { warnings }, Some(manifest)),
        Some(Verdict::LeftAlone(reason)) => (Decision::LeftAlone(reason), None),
        Some(Verdict::Unchanged) | None => (Decision::Unchanged, None),
    }
}

#[cfg(test)]
mod tests;
