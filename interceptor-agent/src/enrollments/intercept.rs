// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Intercepting a pod, in two parts. The first one finds out all that can be found out without a change, and is done
//! for several pods at once. The second one changes the node.

use std::{
    os::fd::OwnedFd,
    time::{SystemTime, UNIX_EPOCH},
};

use interceptor::{
    Cgroup, EnrollError, Enrolled, Netns, Node, Pod, Prepared, Wanted,
    records::{PodName, Record, settings},
};
use interceptor_wire::Attachment;

use super::{Enrollments, LOCK};
use crate::data_path::Choice;

/// In place of the cgroup's id, of pods with rules whose cgroup nobody knows. No cgroup has it.
pub(super) const NO_CGROUP: u64 = 0;

/// A pod that is to be intercepted.
#[derive(Debug)]
pub(crate) struct Candidate {
    pub(crate) attachment: Attachment,
    pub(crate) pod: PodName,
    pub(crate) netns: OwnedFd,
    pub(crate) cgroup: Option<OwnedFd>,
    pub(crate) wanted: Wanted,
}

/// A pod of which all is known that its interception takes.
#[derive(Debug)]
pub(crate) enum Ready {
    /// By programs.
    Programs { record: Record, target: Pod, prepared: Box<Prepared> },
    /// By rules of iptables, for this reason.
    Rules { record: Record, netns: Netns, wanted: Box<Wanted>, why: String },
    /// Not at all, for this reason.
    Skipped(String),
}

/// What became of a pod that is to be intercepted.
#[derive(Debug)]
pub(crate) enum Intercepted {
    Enrolled(Enrolled),
    /// By rules of iptables, for this reason.
    Rules(String),
    /// Not at all, for this reason.
    Skipped(String),
}

impl Enrollments {
    /// Decides how a pod is intercepted, by what this node can and the pod asks for, and prepares that.
    pub(crate) fn prepare(&self, candidate: &Candidate) -> Result<Ready, EnrollError> {
        let Candidate { attachment, pod, netns, cgroup, wanted } = candidate;
        let choice = self.kernel.choose(wanted.config().data_path);
        if let Choice::Skip(why) = choice {
            return Ok(Ready::Skipped(why));
        }
        let node = self.node()?;
        let clone = |descriptor: &OwnedFd| descriptor.try_clone().map_err(anyhow::Error::from);
        let netns = Netns::from_fd(clone(netns)?)?;
        let cgroup = cgroup.as_ref().map(clone).transpose()?.map(Cgroup::from_fd).transpose()?;
        if let Some(rules) = netns.istio_rules()?.filter(|rules| !rules.ours) {
            return Err(EnrollError::OtherRules { name: format!("The pod {pod}"), filter: rules.filter });
        }
        let record = record(attachment, pod.clone(), (&netns, cgroup.as_ref()), wanted)?;
        Ok(match choice {
            Choice::Rules(why) => Ready::Rules { record, netns, wanted: Box::new(wanted.clone().by_iptables()), why },
            Choice::Programs | Choice::Skip(_) => {
                let target = Pod::new(netns, cgroup.ok_or_else(no_cgroup)?);
                // What changes from now on is heard of.
                self.numbers.note(target.netns(), &record.sandbox);
                let prepared = Box::new(node.prepare(target.netns(), wanted)?);
                Ready::Programs { record, target, prepared }
            }
        })
    }

    /// Intercepts a pod. Every other enrollment of its cgroup is ended first: it is of a sandbox that died.
    ///
    /// The record is written before, so that a pod that is intercepted when this process is killed has its name.
    pub(crate) fn intercept(&self, ready: Ready) -> Result<Intercepted, EnrollError> {
        let node = self.node()?;
        match ready {
            Ready::Skipped(why) => Ok(Intercepted::Skipped(why)),
            Ready::Rules { record, netns, wanted, why } => {
                self.end_others(&node, &record)?;
                self.records.write(&record)?;
                let applied = self.rules.apply(&netns, &wanted, &node, LOCK);
                if applied.is_err() {
                    self.forget(&record.sandbox);
                }
                applied.map(|()| Intercepted::Rules(why))
            }
            Ready::Programs { record, target, prepared } => {
                self.end_others(&node, &record)?;
                self.records.write(&record)?;
                let (sandbox, cookie) = (record.sandbox.clone(), record.netns_cookie);
                let enrolled = self.put_in_force(&node, record, &target, &prepared);
                if enrolled.is_err() && matches!(node.enrollment(cookie), Ok(None)) {
                    self.forget(&sandbox);
                }
                enrolled.map(Intercepted::Enrolled)
            }
        }
    }

    /// Enrolls a pod that has a record, and that changes are heard of.
    pub(super) fn put_in_force(
        &self,
        node: &Node,
        mut record: Record,
        target: &Pod,
        prepared: &Prepared,
    ) -> Result<Enrolled, EnrollError> {
        let enrolled = node.enroll_prepared(target, prepared, LOCK)?;
        if let Ok(Some(enrollment)) = node.enrollment(record.netns_cookie) {
            record.fingerprint = Some(enrollment.fingerprint);
            record.home = node.home()?;
            self.records.write(&record)?;
        }
        Ok(enrolled)
    }

    /// Forgets what was noted of a sandbox that was to be intercepted, unless it has a record.
    pub(crate) fn give_up(&self, sandbox: &str) {
        if matches!(self.records.get(sandbox), Ok(None)) {
            self.numbers.forget(sandbox);
        }
    }
}

fn no_cgroup() -> EnrollError {
    let reason = "the plugin found none, and without one the pod is not intercepted".to_owned();
    EnrollError::UnknownCgroup { reason }
}

fn record(
    attachment: &Attachment,
    pod: PodName,
    (netns, cgroup): (&Netns, Option<&Cgroup>),
    wanted: &Wanted,
) -> Result<Record, EnrollError> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Ok(Record {
        version: Record::VERSION,
        sandbox: attachment.container_id.to_string(),
        interface: attachment.ifname.to_string(),
        pod,
        uid: attachment.pod.as_ref().and_then(|pod| Some(pod.uid.as_ref()?.to_string())),
        netns_cookie: netns.cookie(),
        netns_inode: netns.inode(),
        netns_path: attachment.netns_path.clone(),
        cgroup_id: cgroup.map_or(NO_CGROUP, Cgroup::id),
        cgroup_path: attachment.cgroup_path.clone(),
        settings: settings(wanted)?,
        fingerprint: None,
        home: None,
        since: since.as_secs(),
    })
}
