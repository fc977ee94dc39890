// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What each verb of the plugin does. It knows no socket.

use std::{os::fd::OwnedFd, sync::Arc, time::Duration};

use interceptor::{EnrollError, Enrolled, Wanted};
use interceptor_config::kubernetes::{Decision, Pod, decide};
use interceptor_wire::{Answer, Attachment, Descriptors, Did, Received, Request};
use tokio::time::{Instant, sleep};

use crate::{
    answers::{bad_pod, failed, no_turn, not_found, refused},
    codes,
    enrollments::{Candidate, Enrollments, Intercepted, Ready, State},
    metrics::{AddOutcome, Metrics},
    peer::Peer,
    pods::Pods,
    turns::{TurnError, Turns, Until},
};

/// How long a request may wait for its turn: longer than any plugin waits (`request_timeout_ms` is 60 s at most). When
/// the plugin goes, so does its request. But DEL is done all the same.
const PATIENCE: Duration = Duration::from_secs(70);
/// How long to wait until `lo` is up: some runtimes run the plugin that brings it up beside the others
/// ([`cni.go`](https://github.com/containerd/go-cni/blob/06e386d189bc1d3641c9566fe7e1d0d88dec4b2c/cni.go)).
const LO: Duration = Duration::from_secs(1);
/// Between two looks at it.
const PAUSE: Duration = Duration::from_millis(20);

/// What answers requests.
#[derive(Clone)]
pub(crate) struct Requests {
    pub(crate) pods: Pods,
    pub(crate) turns: Turns,
    pub(crate) metrics: Metrics,
}

impl Requests {
    pub(crate) async fn answer(&self, Received { request, descriptors }: Received, peer: Peer<'_>) -> Answer {
        let until = Until::gone(peer, PATIENCE);
        match request {
            Request::Add(attachment) => self.add(attachment, descriptors, until).await,
            Request::Del(attachment) => self.del(attachment, descriptors.netns).await,
            Request::Check(attachment) => self.check(attachment, descriptors.netns, until).await,
            Request::Status => self.status(),
            Request::Gc { valid: _ } => self.gc().await,
        }
    }

    async fn add(&self, attachment: Attachment, descriptors: Descriptors<OwnedFd>, until: Until<'_>) -> Answer {
        let start = Instant::now();
        let (pod, sandbox) = (name(&attachment), attachment.container_id.to_string());
        let answer = self
            .try_add(attachment, descriptors, until)
            .await
            .unwrap_or_else(|refusal| refusal);
        let elapsed = start.elapsed();
        let ms = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
        let outcome = match &answer {
            // What a pod says of itself can have line breaks, so it is logged as a quoted text.
            Answer::Done { did: Did::Skipped, why } => {
                tracing::info!(pod, sandbox, ms, ?why, "skipped");
                AddOutcome::Skipped
            }
            Answer::Done { .. } => AddOutcome::Enrolled,
            Answer::Refused { code, msg, .. } => {
                tracing::warn!(pod, sandbox, ms, code, ?msg, "refused");
                AddOutcome::Refused
            }
        };
        self.metrics.added(outcome, elapsed);
        answer
    }

    async fn try_add(
        &self,
        attachment: Attachment,
        descriptors: Descriptors<OwnedFd>,
        until: Until<'_>,
    ) -> Result<Answer, Answer> {
        let wanted = attachment.pod.as_ref().ok_or_else(|| {
            refused(
                codes::ENVIRONMENT,
                "The runtime named no pod (K8S_POD_NAMESPACE and K8S_POD_NAME in CNI_ARGS)",
            )
        })?;
        let pod = self.pods.find(wanted).await.map_err(|error| not_found(&error))?;
        match decide(&pod).map_err(|faults| bad_pod(&faults))? {
            Decision::Skip(skip) => Ok(Answer::Done { did: Did::Skipped, why: skip.to_string() }),
            Decision::Intercept { wanted, warnings } => {
                let pod = name(&attachment);
                for warning in warnings.into_iter().chain(wanted.notes()) {
                    tracing::warn!(pod, ?warning, "the pod asks for what is not done");
                }
                self.enroll(attachment, descriptors, *wanted, until).await
            }
        }
    }

    async fn enroll(
        &self,
        attachment: Attachment,
        descriptors: Descriptors<OwnedFd>,
        wanted: Wanted,
        until: Until<'_>,
    ) -> Result<Answer, Answer> {
        let (pod, sandbox) = (name(&attachment), attachment.container_id.to_string());
        let pod_name = pod
            .parse()
            .map_err(|error: &str| refused(codes::ENVIRONMENT, format!("{pod}: {error}")))?;
        let netns = descriptors
            .netns
            .ok_or_else(|| refused(codes::NETWORK_NAMESPACE, "The plugin found no network namespace (CNI_NETNS)"))?;
        let candidate = Candidate { attachment, pod: pod_name, netns, cgroup: descriptors.cgroup, wanted };
        let intercepted = self.intercept(candidate, until).await;
        if intercepted.is_err() {
            self.turns.give_up(&sandbox);
        }
        let Enrolled { plan, unknown_interfaces, unguarded } = match intercepted? {
            Intercepted::Enrolled(enrolled) => enrolled,
            Intercepted::Rules(why) => {
                tracing::info!(pod, sandbox, ?why, "the pod has rules of iptables");
                self.metrics.rules_written();
                return Ok(Answer::Done { did: Did::Enrolled, why: format!("by rules of iptables: {why}") });
            }
            Intercepted::Skipped(why) => {
                tracing::warn!(pod, sandbox, ?why, "the pod is not intercepted, although it has a sidecar");
                self.metrics.left_open();
                return Ok(Answer::Done { did: Did::Skipped, why });
            }
        };
        for interface in unknown_interfaces {
            tracing::warn!(
                pod,
                sandbox,
                "the pod excludes the interface {interface}, which it does not have yet"
            );
        }
        if let Some(why) = unguarded {
            tracing::warn!(pod, sandbox, "the pod is not guarded, which needs Linux 6.6: {why}");
        }
        tracing::info!(pod, sandbox, change = ?plan.change, "enrolled");
        Ok(Answer::Done { did: Did::Enrolled, why: "the pod has a sidecar".to_owned() })
    }

    async fn intercept(&self, candidate: Candidate, until: Until<'_>) -> Result<Intercepted, Answer> {
        let ready = self.prepare(Arc::new(candidate), until).await?;
        done(self.turns.take(until, move |enrollments| enrollments.intercept(ready)).await)
    }

    /// A pod whose `lo` is not up yet keeps no place while it waits.
    async fn prepare(&self, candidate: Arc<Candidate>, until: Until<'_>) -> Result<Ready, Answer> {
        let (mut deadline, mut waits) = (None, false);
        loop {
            let candidate = Arc::clone(&candidate);
            let prepared = self
                .turns
                .prepare(until, move |enrollments| enrollments.prepare(&candidate))
                .await;
            let deadline = *deadline.get_or_insert_with(|| Instant::now() + LO);
            match prepared {
                Ok(Err(EnrollError::LoopbackDown)) if Instant::now() < deadline => {
                    if !waits {
                        tracing::debug!("waiting for the pod's `lo`");
                    }
                    waits = true;
                    sleep(PAUSE).await;
                }
                prepared => return done(prepared),
            }
        }
    }

    async fn del(&self, attachment: Attachment, netns: Option<OwnedFd>) -> Answer {
        let (pod, sandbox) = (name(&attachment), attachment.container_id.to_string());
        let work = self.turns.take(Instant::now() + PATIENCE, move |enrollments| {
            enrollments.end(&attachment, netns)
        });
        match done(work.await) {
            Ok(existed) => {
                if existed {
                    tracing::info!(pod, sandbox, "unenrolled");
                }
                let why = if existed { "the pod was enrolled" } else { "the pod was not enrolled" };
                Answer::Done { did: Did::Unenrolled, why: why.to_owned() }
            }
            Err(refusal) => {
                tracing::warn!(
                    pod,
                    sandbox,
                    "Failed to unenroll a pod; it is collected when it is gone: {refusal:?}"
                );
                refusal
            }
        }
    }

    async fn check(&self, attachment: Attachment, netns: Option<OwnedFd>, until: Until<'_>) -> Answer {
        let checked = self.try_check(attachment, netns, until).await;
        checked.unwrap_or_else(|refusal| refusal)
    }

    async fn try_check(
        &self,
        attachment: Attachment,
        netns: Option<OwnedFd>,
        until: Until<'_>,
    ) -> Result<Answer, Answer> {
        let checked = |why: &str| Ok(Answer::Done { did: Did::Checked, why: why.to_owned() });
        let wanted = attachment
            .pod
            .as_ref()
            .ok_or_else(|| refused(codes::ENVIRONMENT, "The runtime named no pod in CNI_ARGS"))?;
        let pod = self.pods.find(wanted).await.map_err(|error| not_found(&error))?;
        let is_wanted = wants_interception(&pod)?;
        let netns = netns.ok_or_else(|| refused(codes::NETWORK_NAMESPACE, "The pod's network namespace is gone"))?;
        let state = done(self.turns.prepare(until, move |enrollments| enrollments.state(netns)).await)?;
        match (is_wanted, state) {
            (true, State::Complete) => checked("the pod is enrolled"),
            (false, _) => checked("the pod needs no interception"),
            (true, State::Absent) => Err(refused(
                codes::FAILED,
                "The pod is not enrolled, and should be; delete it, so that it starts anew",
            )),
            (true, State::OtherRules(filter)) => Err(refused(
                codes::FAILED,
                format!("Istio's own rules ({filter}) intercept the pod; delete it, so that it starts anew"),
            )),
            (true, State::Missing(programs)) => Err(refused(
                codes::FAILED,
                format!(
                    "The pod is enrolled, and these programs are not attached: {}; delete it, so that it starts anew",
                    programs.join(", ")
                ),
            )),
        }
    }

    fn status(&self) -> Answer {
        match self.turns.try_node().map_err(|error| failed(&error)) {
            Ok(()) => Answer::Done { did: Did::Ready, why: "pods can be enrolled".to_owned() },
            Err(Answer::Refused { msg, retry, code: _ }) => Answer::Refused { code: codes::NOT_AVAILABLE, msg, retry },
            Err(answer) => answer,
        }
    }

    /// What the runtime lists is not believed: a list that forgets a pod, such as that of another network of this
    /// node, would end the interception of a running pod. A network namespace that is gone is a fact.
    async fn gc(&self) -> Answer {
        match done(self.turns.take(Instant::now() + PATIENCE, Enrollments::collect).await) {
            Ok(collected) => {
                self.metrics.collected(collected);
                Answer::Done { did: Did::Collected, why: format!("{collected} pods were gone") }
            }
            Err(refusal) => refusal,
        }
    }
}

fn wants_interception(pod: &Pod) -> Result<bool, Answer> {
    let decision = decide(pod).map_err(|faults| bad_pod(&faults))?;
    Ok(matches!(decision, Decision::Intercept { .. }))
}

fn done<T>(result: Result<Result<T, EnrollError>, TurnError>) -> Result<T, Answer> {
    result.map_err(|error| no_turn(&error))?.map_err(|error| failed(&error))
}

/// For the log.
fn name(attachment: &Attachment) -> String {
    let pod = attachment.pod.as_ref();
    pod.map_or_else(|| "unnamed".to_owned(), |pod| format!("{}/{}", pod.namespace, pod.name))
}
