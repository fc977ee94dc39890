// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Pods that started without interception, because the plugin was not on the node yet: they are intercepted
//! belatedly, deleted or labeled. Everything is keyed by the UID of a pod and tried again until it works.

mod filter;
mod members;
mod requests;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use interceptor::{Cgroup, EnrollError};
use interceptor_config::kubernetes::{Decision, decide};
use interceptor_wire as wire;
use kube::Client;
use tokio::{
    task::spawn_blocking,
    time::{Instant, sleep_until},
};

pub(crate) use self::filter::{Filter, Label, Mode, Rules};
use crate::{
    enrollments::{Intercepted, REPAIRED, State},
    host::processes,
    metrics::{Metrics, RepairMode, RepairResult},
    pods::{Current, Pods, uid_on_the_node},
    turns::Turns,
};

/// After a try that did not work.
const RETRY: Duration = Duration::from_secs(5);
/// After one that did: until the API server shows it, and in case the pod gets another sandbox.
const REST: Duration = Duration::from_secs(30);
/// How long one pod may wait for its turn.
const PATIENCE: Duration = Duration::from_mins(1);
/// Two pods of one name are not deleted within this time: then deleting does not help.
const DELETIONS: Duration = Duration::from_mins(5);
/// The interface that the runtime gives to a pod.
const INTERFACE: &str = "eth0";

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
    /// The pod has no process yet, or no address.
    TooEarly(String),
    Failed(String),
}

impl Repairer {
    /// Looks after pods that are broken whenever a pod changes, forever.
    pub(crate) async fn run(self) {
        let mut memory = Memory::default();
        loop {
            let next = self.look(&mut memory).await;
            tokio::select! {
                () = self.pods.changed() => {}
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
        let Ok(Decision::Intercept { wanted, .. }) = decide(&current.pod) else {
            return Tried::Good; // the plugin would not intercept it either
        };
        let addresses = current.status.addresses();
        let uid = uid_on_the_node(&current.pod).to_owned();
        let found = spawn_blocking(move || members::find(&processes(), &uid, &addresses)).await;
        let found = match found {
            Ok(Ok(Some(found))) => found,
            Ok(Ok(None)) => return Tried::TooEarly("it has no process in its network namespace yet".to_owned()),
            Ok(Err(error)) => return Tried::Failed(format!("{error:#}")),
            Err(_panicked) => return Tried::Failed("a fault of the agent".to_owned()),
        };
        let attachment = match attachment(current, &found.cgroup) {
            Ok(attachment) => attachment,
            Err(error) => return Tried::Failed(error),
        };
        let pod = current.name();
        let work = self.turns.take(Instant::now() + PATIENCE, move |enrollments| {
            let state = enrollments.state(found.netns.try_clone().map_err(anyhow::Error::from)?)?;
            match state {
                State::Complete | State::Missing(_) => Ok(false),
                State::Absent => {
                    let name = pod.parse().map_err(|error: &str| anyhow::anyhow!("{pod}: {error}"))?;
                    let cgroup = found.cgroup.try_clone_to_owned()?;
                    let done = enrollments.intercept(&attachment, name, (found.netns, Some(cgroup)), *wanted)?;
                    Ok::<bool, EnrollError>(!matches!(done, Intercepted::Skipped(_)))
                }
            }
        });
        match work.await {
            Ok(Ok(false)) => Tried::Good,
            Ok(Ok(true)) => {
                self.metrics.repaired(RepairMode::Repair, RepairResult::Success);
                tracing::info!(pod = current.name(), "intercepted a pod that had started without");
                Tried::Good
            }
            Ok(Err(EnrollError::Failed(error))) => Tried::Failed(format!("{error:#}")),
            Ok(Err(error)) => Tried::Failed(error.to_string()),
            Err(error) => Tried::Failed(error.to_string()),
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

/// What the plugin would have said of the pod. Nobody but the runtime knows the name of its sandbox.
fn attachment(current: &Current, cgroup: &Cgroup) -> Result<wire::Attachment, String> {
    let uid = uid_on_the_node(&current.pod);
    let bad = |error: wire::BadName| error.to_string();
    Ok(wire::Attachment {
        container_id: format!("{REPAIRED}{uid}").parse().map_err(bad)?,
        ifname: INTERFACE.parse().map_err(bad)?,
        netns_path: None,
        pod: Some(wire::Pod {
            namespace: current.pod.metadata.namespace.parse().map_err(bad)?,
            name: current.pod.metadata.name.parse().map_err(bad)?,
            uid: Some(uid.parse().map_err(bad)?),
        }),
        cgroup_path: Some(cgroup.path().display().to_string()),
        ips: current.status.addresses(),
    })
}
