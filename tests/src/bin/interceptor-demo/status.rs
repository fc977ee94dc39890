// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The counters of the pods.

use std::{collections::BTreeMap, path::PathBuf};

use anyhow::Context as _;
use serde::Deserialize;
use testkit::{Node, Pod};

pub(crate) type Counters = BTreeMap<String, u64>;

/// What we need of `interceptor status --output json`.
#[derive(Deserialize)]
struct ShownPod {
    cgroup: Option<PathBuf>,
    missing: Vec<String>,
    counters: Counters,
}

/// How often each reason has decided in `pod` so far.
pub(crate) fn counters(node: &Node, pod: &Pod<'_>) -> anyhow::Result<Counters> {
    let pods: Vec<ShownPod> = node.run(&["status", "--output", "json"]).json();
    let of_pod = |status: &ShownPod| status.cgroup.as_deref() == Some(pod.namespace().cgroup());
    let ShownPod { missing, counters, .. } = pods
        .into_iter()
        .find(of_pod)
        .context("the pod is not in `interceptor status`")?;
    anyhow::ensure!(missing.is_empty(), "programs of the pod are not attached: {missing:?}");
    Ok(counters)
}

/// What was counted between two looks.
pub(crate) fn since(before: &Counters, after: &Counters) -> Counters {
    let more =
        |(reason, count): (&String, &u64)| (reason.clone(), count - before.get(reason).copied().unwrap_or_default());
    after.iter().map(more).filter(|(_, count)| *count > 0).collect()
}

/// Each of these as often.
pub(crate) fn times(count: u64, reasons: &[&str]) -> Counters {
    reasons.iter().map(|reason| ((*reason).to_owned(), count)).collect()
}
