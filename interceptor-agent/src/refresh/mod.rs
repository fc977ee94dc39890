// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Pods whose addresses, interfaces or routes change while they run: their policies follow. The kernel tells which pods
//! to look at; what they look like is read from them.

mod changes;
mod look;
mod schedule;

use std::{
    collections::{BTreeMap, BTreeSet},
    future, io,
    sync::Arc,
    time::Duration,
};

use interceptor::EnrollError;
use tokio::time::{Instant, sleep_until};

use self::{
    changes::{Changes, Heard},
    look::{Found, Looked, follow, look},
    schedule::Schedule,
};
use crate::{
    enrollments::Enrollments,
    metrics::{Metrics, RefreshOutcome},
    numbers::Numbers,
    turns::{TurnError, Turns},
};

/// Without any sign: all pods are looked at.
const INTERVAL: Duration = Duration::from_mins(5);
/// The same where the kernel does not tell of changes.
const DEAF_INTERVAL: Duration = Duration::from_mins(1);
/// From one look at all pods to the next, if changes are lost again and again.
const REST: Duration = Duration::from_secs(5);
/// After a look that failed.
const RETRY: Duration = Duration::from_secs(10);
/// How long a look may wait for its turn.
const PATIENCE: Duration = Duration::from_mins(1);

/// Lets the policies of pods follow their networks.
pub(crate) struct Refresher {
    pub(crate) turns: Turns,
    pub(crate) numbers: Arc<Numbers>,
    pub(crate) metrics: Metrics,
}

/// What is known of pods.
#[derive(Default)]
struct Memory {
    schedule: Schedule,
    /// By sandbox, what was wrong, so that it is logged once.
    said: BTreeMap<String, String>,
}

impl Refresher {
    /// Looks at all pods once, because they may have changed while nobody listened, and then at those that change,
    /// forever.
    pub(crate) async fn run(self) {
        let mut changes = Changes::listen().inspect_err(warn_of_deafness).ok();
        let mut memory = Memory::default();
        let (mut last, mut all) = (None, Instant::now());
        loop {
            let next = memory.schedule.next().map_or(all, |next| next.min(all));
            tokio::select! {
                Heard { numbers, lost, ended } = hear(changes.as_ref()) => {
                    for sandbox in numbers.into_iter().filter_map(|number| self.numbers.sandbox(number)) {
                        memory.schedule.changed(&sandbox, Instant::now());
                    }
                    if let Some(errno) = ended {
                        warn_of_deafness(&errno.into());
                        changes = None;
                    }
                    if lost || ended.is_some() {
                        tracing::debug!("changes in the networks of pods were lost, looking at all pods");
                        all = all.min(last.map_or_else(Instant::now, |last| last + REST));
                    }
                }
                () = sleep_until(next) => {
                    let now = Instant::now();
                    if all <= now {
                        self.all_changed(&mut memory).await;
                        let interval = if changes.is_some() { INTERVAL } else { DEAF_INTERVAL };
                        (last, all) = (Some(now), now + interval);
                    }
                    if let Some(sandbox) = memory.schedule.take(Instant::now()) {
                        self.look_at(&sandbox, &mut memory).await;
                    }
                }
            }
        }
    }

    async fn all_changed(&self, memory: &mut Memory) {
        let sandboxes = self.turns.look(Enrollments::sandboxes).await;
        let sandboxes: BTreeSet<String> = sandboxes.unwrap_or_default().into_iter().collect();
        for sandbox in &sandboxes {
            memory.schedule.changed(sandbox, Instant::now());
        }
        memory.said.retain(|sandbox, _| sandboxes.contains(sandbox));
    }

    /// Waiting is no work.
    async fn look_at(&self, sandbox: &str, memory: &mut Memory) {
        let of = sandbox.to_owned();
        let began = Instant::now();
        let found = self.turns.look(move |enrollments| look(enrollments, &of)).await;
        let mut took = began.elapsed();
        let looked = match flat(found) {
            Ok(Found::Nothing(looked)) => Ok(looked),
            Ok(Found::Change(due)) => {
                let work = self.turns.take(Instant::now() + PATIENCE, move |enrollments| {
                    let began = Instant::now();
                    (follow(enrollments, *due), began.elapsed())
                });
                flat(work.await.map(|(looked, following)| {
                    took += following;
                    looked
                }))
            }
            Err(why) => Err(why),
        };
        let now = Instant::now();
        memory.schedule.looked(sandbox, now - took, now);
        let outcome = match looked {
            Ok(Looked::Gone) => {
                memory.forget(sandbox);
                return;
            }
            Ok(Looked::TooEarly) => {
                memory.schedule.changed(sandbox, now);
                return;
            }
            Ok(Looked::OfAnother) => {
                let why = "the pod has other settings than those that the agent enrolled it with, and is left alone";
                memory.say(sandbox, why);
                RefreshOutcome::Unchanged
            }
            Ok(looked @ (Looked::Unchanged | Looked::Mended | Looked::Switched)) => {
                memory.said.remove(sandbox);
                match looked {
                    Looked::Switched => RefreshOutcome::Switched,
                    Looked::Mended => RefreshOutcome::Mended,
                    Looked::Unchanged | Looked::Gone | Looked::TooEarly | Looked::OfAnother => {
                        RefreshOutcome::Unchanged
                    }
                }
            }
            Err(why) => {
                memory.say(sandbox, &format!("Failed to look at the pod's network, trying again: {why}"));
                memory.schedule.again(sandbox, Instant::now() + RETRY);
                RefreshOutcome::Failed
            }
        };
        self.metrics.refreshed(outcome);
    }
}

impl Memory {
    fn say(&mut self, sandbox: &str, what: &str) {
        if self.said.get(sandbox).is_none_or(|said| said != what) {
            tracing::warn!(sandbox, "{what}");
            self.said.insert(sandbox.to_owned(), what.to_owned());
        }
    }

    fn forget(&mut self, sandbox: &str) {
        self.schedule.forget(sandbox);
        self.said.remove(sandbox);
    }
}

fn flat<T>(done: Result<Result<T, EnrollError>, TurnError>) -> Result<T, String> {
    let done = done.map_err(|error| error.to_string())?;
    done.map_err(|error| format!("{:#}", anyhow::Error::new(error)))
}

/// Waits for changes; forever, if nobody tells of them.
async fn hear(changes: Option<&Changes>) -> Heard {
    match changes {
        Some(changes) => changes.next().await,
        None => future::pending().await,
    }
}

fn warn_of_deafness(error: &io::Error) {
    tracing::warn!(
        "Failed to listen for changes in the networks of pods (NETLINK_LISTEN_ALL_NSID, which needs \
         CAP_NET_BROADCAST), looking every minute: {error}"
    );
}
