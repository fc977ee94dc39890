// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Pods that started without interception, because the plugin was not on the node yet: they are intercepted
//! belatedly, deleted or labeled. Everything is keyed by the UID of a pod and tried again until it works.

pub(crate) mod belated;
mod filter;
pub(crate) mod members;
pub(crate) mod requests;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use kube::Client;
use tokio::time::{Instant, sleep_until};

use self::belated::Belated;
pub(crate) use self::filter::{Filter, Label, Mode, Rules};
use crate::{
    metrics::{Metrics, RepairMode, RepairResult},
    pods::{Current, Pods},
    turns::Turns,
};

/// After a try that did not work.
const RETRY: Duration = Duration::from_secs(5);
/// After one that did: until the API server shows it, and in case the pod gets another sandbox.
const REST: Duration = Duration::from_secs(30);
/// Two pods of one name are not deleted within this time: then deleting does not help.
const DELETIONS: Duration = Duration::from_mins(5);

/// Repairs pods.
pub(crate) struct Repairer {
    pub(crate) rules: Rules,
    pub(crate) pods: Pods,
    pub(crate) turns: Turns,
    pub(crate) client: Client,
    pub(crate) metrics: Metrics,
}

/// What is known of broken pods.
#[derive(Default)]
struct Memory {
    /// By UID, when to try next. `None` for never again.
    due: BTreeMap<String, Option<Instant>>,
    /// By UID, what was wrong, so that it is logged once.
    said: BTreeMap<String, String>,
    /// By namespace and name.
    deleted: BTreeMap<(String, String), Instant>,
}

/// What came of a try.
enum Tried {
    /// Nothing is left to do for now.
    Good,
    /// Nothing is left to do at all.
    Done,
    /// The pod has no network namespace yet, or no address.
    TooEarly(String),
    Failed(String),
}

impl Repairer {
    /// Looks after pods that are broken whenever a pod changes, forever.
    pub(crate) async fn run(self) {
        let mut memory = Memory::default();
        let mut changes = self.pods.changes();
        loop {
            changes.mark_unchanged();
            let next = self.look(&mut memory).await;
            tokio::select! {
                Ok(()) = changes.changed() => {}
                () = sleep_until(next.unwrap_or_else(Instant::now)), if next.is_some() => {}
            }
        }
    }

    /// Returns when to look again, if no pod changes before.
    async fn look(&self, memory: &mut Memory) -> Option<Instant> {
        let pods = self.pods.all();
        let uids: BTreeSet<&str> = pods.iter().map(|current| current.pod.metadata.uid.as_str()).collect();
        memory.due.retain(|uid, _| uids.contains(uid.as_str()));
        memory.said.retain(|uid, _| uids.contains(uid.as_str()));
        memory.deleted.retain(|_, at| at.elapsed() < DELETIONS);
        let broken = pods.iter().filter(|current| self.rules.is_broken(current));
        for current in broken {
            let uid = &current.pod.metadata.uid;
            let is_due = memory
                .due
                .get(uid)
                .is_none_or(|due| due.is_some_and(|due| due <= Instant::now()));
            if is_due {
                let tried = self.try_pod(current, memory).await;
                memory.note(current, tried);
            }
        }
        memory.due.values().flatten().min().copied()
    }

    async fn try_pod(&self, current: &Current, memory: &mut Memory) -> Tried {
        let (kind, tried) = match &self.rules.mode {
            Mode::Repair => (RepairMode::Repair, self.enroll(current).await),
            Mode::Delete => (RepairMode::Delete, self.delete(current, memory).await),
            Mode::Label(label) => (RepairMode::Label, self.label(current, label).await),
        };
        if let Tried::Failed(_) = &tried {
            self.metrics.repaired(kind, RepairResult::Fail);
        }
        tried
    }

    async fn enroll(&self, current: &Current) -> Tried {
        match belated::enroll(&self.turns, current).await {
            Ok(Belated::Enrolled) => {
                self.metrics.repaired(RepairMode::Repair, RepairResult::Success);
                tracing::info!(pod = current.name(), "intercepted a pod that had started without");
                Tried::Good
            }
            Ok(Belated::NothingToDo) => Tried::Good,
            Ok(Belated::NotFound) => Tried::TooEarly("its network namespace is not found yet".to_owned()),
            Err(error) => Tried::Failed(error),
        }
    }

    async fn delete(&self, current: &Current, memory: &mut Memory) -> Tried {
        let metadata = &current.pod.metadata;
        let key = (metadata.namespace.clone(), metadata.name.clone());
        if memory.deleted.contains_key(&key) {
            return Tried::TooEarly("another pod of this name was deleted a moment ago".to_owned());
        }
        match requests::delete(&self.client, current).await {
            Ok(()) => {
                memory.deleted.insert(key, Instant::now());
                self.metrics.repaired(RepairMode::Delete, RepairResult::Success);
                tracing::info!(pod = current.name(), "deleted a pod that had started without interception");
                requests::tell(&self.client, current, "DeleteBrokenPod", "pod detected as broken, deleted").await;
                Tried::Done
            }
            Err(error) => {
                let message = format!("pod detected as broken, but failed to delete: {error}");
                requests::tell(&self.client, current, "DeleteBrokenPod", &message).await;
                Tried::Failed(error)
            }
        }
    }

    async fn label(&self, current: &Current, label: &Label) -> Tried {
        if current.pod.metadata.labels.contains_key(&label.key) {
            self.metrics.repaired(RepairMode::Label, RepairResult::Skip);
            return Tried::Done;
        }
        match requests::label(&self.client, current, label).await {
            Ok(()) => {
                self.metrics.repaired(RepairMode::Label, RepairResult::Success);
                tracing::info!(pod = current.name(), "labeled a pod that had started without interception");
                requests::tell(&self.client, current, "LabelBrokenPod", "pod detected as broken, labeled").await;
                Tried::Done
            }
            Err(error) => {
                let message = format!("pod detected as broken, but failed to label: {error}");
                requests::tell(&self.client, current, "LabelBrokenPod", &message).await;
                Tried::Failed(error)
            }
        }
    }
}

impl Memory {
    fn note(&mut self, current: &Current, tried: Tried) {
        let uid = &current.pod.metadata.uid;
        let due = match &tried {
            Tried::Good => Some(Instant::now() + REST),
            Tried::Done => None,
            Tried::TooEarly(_) | Tried::Failed(_) => Some(Instant::now() + RETRY),
        };
        self.due.insert(uid.clone(), due);
        match tried {
            Tried::Good | Tried::Done => {
                self.said.remove(uid);
            }
            Tried::TooEarly(why) => tracing::debug!(pod = current.name(), "not repaired yet: {why}"),
            Tried::Failed(why) => {
                if self.said.get(uid) != Some(&why) {
                    tracing::warn!(pod = current.name(), "Failed to repair a pod, trying again: {why}");
                    self.said.insert(uid.clone(), why);
                }
            }
        }
    }
}
