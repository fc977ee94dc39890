// SPDX-License-Identifier: Apache-2.0 OR MIT
//! An `AdmissionReview`, from bytes to bytes
//! ([reference](https://kubernetes.io/docs/reference/access-authn-authz/extensible-admission-controllers/)). What is no
//! review is refused. A pod that cannot be changed is allowed or denied, as [`OnFault`] says.

mod answer;
mod decision;
mod refused;
mod request;
mod values;

use std::panic::{AssertUnwindSafe, catch_unwind};

use interceptor_inject::{Outcome, Verdict};
use serde_json::Value;

use self::request::{Request, Review};
pub(crate) use self::{decision::Decision, refused::Refused};
use crate::work::{OnFault, Work};

/// What is done with a pod.
pub(crate) struct Change<'a> {
    /// A pod, and the namespace that it is in if it names none.
    apply: &'a dyn Fn(&Value, &str) -> Result<Outcome, String>,
    on_fault: OnFault,
    done: &'static str,
}

/// Codes of HTTP in the answer: the pod is wrong, and this program is.
const WRONG: u16 = 400;
const BROKEN: u16 = 500;

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
pub(crate) fn review(body: &[u8], work: &Work) -> Result<Reviewed, Refused> {
    let apply = |pod: &Value, namespace: &str| work.apply(pod, namespace);
    review_by(body, &Change { apply: &apply, on_fault: work.on_fault(), done: work.done() })
}

fn review_by(body: &[u8], change: &Change<'_>) -> Result<Reviewed, Refused> {
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
fn decide(request: &Request, change: &Change<'_>) -> (Decision, Option<Value>) {
    let fault = |why: String, code| match change.on_fault {
        OnFault::Allow => (Decision::Failed(why), None),
        OnFault::Deny => (Decision::Denied { why, code }, None),
    };
    if !request.is_creation() {
        return (Decision::Unchanged, None);
    }
    let Some(pod) = request.pod() else {
        let why = "this is no pod; the rules of the webhook are to name pods only";
        return fault(why.to_owned(), WRONG);
    };
    // A fault of ours is not to end the process.
    match catch_unwind(AssertUnwindSafe(|| (change.apply)(pod, request.namespace()))) {
        Ok(Ok(outcome)) => of_outcome(outcome, change.done),
        Ok(Err(why)) => fault(why, WRONG),
        Err(_panic) => fault(
            "this program has a fault, which its log tells; please report it".to_owned(),
            BROKEN,
        ),
    }
}

fn of_outcome(Outcome { manifest, workloads }: Outcome, done: &'static str) -> (Decision, Option<Value>) {
    match workloads.into_iter().next().map(|workload| workload.verdict) {
        Some(Verdict::Changed { warnings }) => (Decision::Changed { done, warnings }, Some(manifest)),
        Some(Verdict::LeftAlone(reason)) => (Decision::LeftAlone(reason), None),
        Some(Verdict::Unchanged) | None => (Decision::Unchanged, None),
    }
}

#[cfg(test)]
mod tests;
