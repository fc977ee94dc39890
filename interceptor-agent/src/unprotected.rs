// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Pods that have a sidecar, run, and are not intercepted: they started before the plugin was on the node, and no
//! container of theirs waits for interception. They are counted, noted for `interceptor status` and told of; and
//! intercepted belatedly only if somebody asks for that.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use interceptor::{
    Netns,
    namespaces::processes,
    records::{Records, UnprotectedRecord, Version},
};
use interceptor_config::kubernetes::{Decision, decide};
use kube::Client;
use tokio::{
    task::spawn_blocking,
    time::{Instant, sleep, timeout},
};

use crate::{
    enrollments::{Enrollments, State},
    metrics::{Metrics, RepairMode, RepairResult},
    pods::{Current, Pods, uid_on_the_node},
    repair::{
        belated::{self, Belated},
        members, requests,
    },
    turns::Turns,
};

/// Between two looks at all pods, if they change all the time.
const PAUSE: Duration = Duration::from_secs(3);
/// After which each pod is looked at again.
const REST: Duration = Duration::from_secs(30);
/// The reason and the text of the event.
const EVENT: [&str; 2] = [
    "NotIntercepted",
    "the pod runs without interception, so its connections pass its sidecar by; delete it, so that it starts anew",
];

/// Looks for such pods.
pub(crate) struct Watchman {
    pub(crate) pods: Pods,
    pub(crate) turns: Turns,
    pub(crate) client: Client,
    pub(crate) metrics: Metrics,
    pub(crate) records: Records<UnprotectedRecord>,
    /// Pods in these namespaces are left alone by the plugin too.
    pub(crate) excluded: Vec<String>,
    /// Whether they are intercepted belatedly.
    pub(crate) adopts: bool,
}

/// What is known of pods that the agent did not enroll.
#[derive(Default)]
struct Memory {
    /// By UID: when to look again, and what was found.
    seen: BTreeMap<String, (Instant, Option<UnprotectedRecord>)>,
    /// By UID, what was wrong, so that it is logged once.
    said: BTreeMap<String, String>,
}

impl Watchman {
    /// Looks whenever pods change, and now and then, forever.
    pub(crate) async fn run(self) {
        let mut memory = Memory::default();
        let mut changes = self.pods.changes();
        loop {
            changes.mark_unchanged();
            if self.pods.is_synced() {
                self.look(&mut memory).await;
            }
            sleep(PAUSE).await;
            // After the time that is up, or the change that has come.
            drop(timeout(REST, changes.changed()).await);
        }
    }

    async fn look(&self, memory: &mut Memory) {
        let known = match self.turns.look(Enrollments::uids).await {
            Ok(Ok(known)) => known,
            Ok(Err(error)) => return tracing::debug!("pods without interception are not looked for: {error}"),
            Err(error) => return tracing::debug!("pods without interception are not looked for: {error}"),
        };
        let pods = self.pods.all();
        let candidates = pods
            .iter()
            .filter(|current| self.should_be_intercepted(current) && !known.contains(uid_on_the_node(&current.pod)));
        let candidates: Vec<&Current> = candidates.collect();
        let uids: BTreeSet<&str> = candidates.iter().map(|current| uid_on_the_node(&current.pod)).collect();
        memory.seen.retain(|uid, _| uids.contains(uid.as_str()));
        memory.said.retain(|uid, _| uids.contains(uid.as_str()));
        for current in candidates {
            let uid = uid_on_the_node(&current.pod);
            if memory.seen.get(uid).is_none_or(|(due, _)| *due <= Instant::now()) {
                let found = self.look_at(current, memory).await;
                memory.seen.insert(uid.to_owned(), (Instant::now() + REST, found));
            }
        }
        let unprotected: Vec<&UnprotectedRecord> =
            memory.seen.values().filter_map(|(_, found)| found.as_ref()).collect();
        self.metrics.set_unprotected(unprotected.len());
        self.forget_others(&unprotected);
    }

    fn should_be_intercepted(&self, current: &Current) -> bool {
        let Current { pod, status, is_going, resource_version: _ } = current;
        let is_meant = !*is_going
            && !status.is_over()
            && status.is_at_work()
            && !pod.spec.host_network
            && !self.excluded.contains(&pod.metadata.namespace);
        is_meant && matches!(decide(pod), Ok(Decision::Intercept { .. }))
    }

    /// The note of a pod that is not intercepted.
    async fn look_at(&self, current: &Current, memory: &mut Memory) -> Option<UnprotectedRecord> {
        let record = match self.examine(current).await {
            Ok(record) => record?,
            Err(why) => {
                memory.say(current, &format!("Failed to find out whether the pod is intercepted: {why}"));
                return None;
            }
        };
        if self.adopts {
            match belated::enroll(&self.turns, current).await {
                Ok(Belated::Enrolled) => {
                    self.metrics.repaired(RepairMode::Repair, RepairResult::Success);
                    tracing::warn!(
                        pod = current.name(),
                        "intercepted a pod that ran without; connections that it had stay outside"
                    );
                    return None;
                }
                Ok(Belated::NothingToDo | Belated::NotFound) => {}
                Err(why) => {
                    self.metrics.repaired(RepairMode::Repair, RepairResult::Fail);
                    memory.say(current, &format!("Failed to intercept a pod that runs, trying again: {why}"));
                }
            }
        }
        match self.records.get(&record.uid) {
            Ok(Some(noted)) if noted.netns_cookie == record.netns_cookie => return Some(noted),
            _ => {}
        }
        let [reason, message] = EVENT;
        tracing::warn!(pod = current.name(), "{message}");
        if let Err(error) = self.records.write(&record) {
            tracing::warn!("`interceptor status` will not show a pod: {error:#}");
        }
        requests::tell(&self.client, current, reason, message).await;
        Some(record)
    }

    /// The error is a text for the log.
    async fn examine(&self, current: &Current) -> Result<Option<UnprotectedRecord>, String> {
        let addresses = current.status.addresses();
        let uid = uid_on_the_node(&current.pod).to_owned();
        let of = uid.clone();
        let found = spawn_blocking(move || members::find(processes(), &of, &addresses)).await;
        let found = found.map_err(|_panicked| "a fault of the agent".to_owned())?;
        let Some(found) = found.map_err(|error| format!("{error:#}"))? else {
            return Ok(None);
        };
        let pod = current.name().parse().map_err(str::to_owned)?;
        let work = self.turns.look(move |enrollments| {
            let netns = Netns::from_fd(found.netns.try_clone().map_err(anyhow::Error::from)?)?;
            let state = enrollments.state(found.netns)?;
            Ok((state, netns.cookie(), netns.inode()))
        });
        let examined: Result<_, interceptor::EnrollError> = work.await.map_err(|error| error.to_string())?;
        let (state, netns_cookie, netns_inode) =
            examined.map_err(|error| format!("{:#}", anyhow::Error::new(error)))?;
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let version = Version::V1;
        let record = || UnprotectedRecord { version, pod, uid, netns_cookie, netns_inode, since };
        Ok(match state {
            State::Absent => Some(record()),
            State::Complete | State::Missing(_) | State::OtherRules(_) => None,
        })
    }

    /// Notes of pods that are gone, or are intercepted by now.
    fn forget_others(&self, unprotected: &[&UnprotectedRecord]) {
        let noted = match self.records.read() {
            Ok((noted, _unreadable)) => noted,
            Err(error) => return tracing::warn!("{error:#}"),
        };
        for UnprotectedRecord { uid, .. } in noted {
            if unprotected.iter().all(|record| record.uid != uid)
                && let Err(error) = self.records.remove(&uid)
            {
                tracing::warn!("{error:#}");
            }
        }
    }
}

impl Memory {
    fn say(&mut self, current: &Current, what: &str) {
        let uid = uid_on_the_node(&current.pod);
        if self.said.get(uid).is_none_or(|said| said != what) {
            tracing::warn!(pod = current.name(), "{what}");
            self.said.insert(uid.to_owned(), what.to_owned());
        }
    }
}
