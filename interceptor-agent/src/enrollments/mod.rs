// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Enrolling and unenrolling by the sandboxes of the runtime. State is keyed by sandbox, because a pod whose sandbox
//! died gets another one with the same cgroup, and the end of the old one may be told after the begin of the new one.
//! Everything here blocks.

mod adopt;
mod intercept;
mod predecessors;
mod restore;

use std::{
    collections::BTreeSet,
    os::fd::OwnedFd,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use interceptor::{
    EnrollError, Netns, Node,
    records::{Record, Records},
};
use interceptor_wire::Attachment;

pub(crate) use self::{
    intercept::{Candidate, Intercepted, Ready},
    restore::Restored,
};
use crate::{data_path::Kernel, numbers::Numbers, rules::Rules};

/// In place of the sandbox's name, of pods that were repaired: only the runtime knows that name.
pub(crate) const REPAIRED: &str = "repaired-";
/// How long to wait for the lock of the node, which commands take as well.
pub(crate) const LOCK: Duration = Duration::from_secs(5);

/// The enrollments of this node, with their records.
#[derive(Debug)]
pub(crate) struct Enrollments {
    bpffs: PathBuf,
    records: Records,
    rules: Rules,
    kernel: Arc<Kernel>,
    numbers: Arc<Numbers>,
}

/// Whether a pod is enrolled.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum State {
    Complete,
    /// These programs are not attached.
    Missing(Vec<&'static str>),
    Absent,
    /// Istio's own rules redirect its connections, by this packet filter.
    OtherRules(&'static str),
}

impl Enrollments {
    pub(crate) fn new(
        bpffs: &Path,
        records: Records,
        rules: Rules,
        kernel: Arc<Kernel>,
        numbers: Arc<Numbers>,
    ) -> Self {
        Self { bpffs: bpffs.to_path_buf(), records, rules, kernel, numbers }
    }

    /// Every time anew, because the file system may have been unmounted.
    pub(crate) fn node(&self) -> Result<Node, EnrollError> {
        Node::open(&self.bpffs)
    }

    /// The sandboxes of the pods that have a record.
    pub(crate) fn sandboxes(&self) -> Vec<String> {
        self.read().into_iter().map(|record| record.sandbox).collect()
    }

    /// The UIDs of the pods that have a record and are intercepted.
    pub(crate) fn uids(&self) -> Result<BTreeSet<String>, EnrollError> {
        let enrolled = self.node()?.enrollments()?;
        let is_intercepted = |record: &Record| {
            let mut enrolled = enrolled.iter();
            enrolled.any(|(cookie, entry)| record.is_of(*cookie, entry.netns_inode)) || self.rules.has(record)
        };
        let records = self.read().into_iter();
        Ok(records.filter(is_intercepted).filter_map(|record| record.uid).collect())
    }

    pub(crate) const fn records(&self) -> &Records {
        &self.records
    }

    pub(crate) fn numbers(&self) -> &Numbers {
        &self.numbers
    }

    /// Ends the enrollment of a sandbox. Returns whether there was one.
    pub(crate) fn end(&self, attachment: &Attachment, netns: Option<OwnedFd>) -> Result<bool, EnrollError> {
        let node = self.node()?;
        let sandbox = attachment.container_id.as_str();
        let records = self.read();
        let netns = netns.and_then(|netns| Netns::from_fd(netns).ok());
        let netns_cookie = netns.as_ref().map(Netns::cookie);
        let is_repaired =
            |record: &&Record| record.sandbox.starts_with(REPAIRED) && Some(record.netns_cookie) == netns_cookie;
        let own = records.iter().find(|record| record.sandbox == sandbox);
        let own = own.or_else(|| records.iter().find(is_repaired));
        if own.is_some_and(|record| record.interface != attachment.ifname.as_str()) {
            return Ok(false); // another interface of the sandbox ends
        }
        let sandbox = own.map_or(sandbox, |record| &record.sandbox);
        let mut cookies: BTreeSet<u64> = own.iter().map(|record| record.netns_cookie).collect();
        // Of a sandbox without a record, as of one that ran `interceptor enroll` itself.
        cookies.extend(netns_cookie);
        let is_of_another = |cookie: &u64| {
            let others = records.iter().filter(|record| record.sandbox != sandbox);
            others.map(|record| record.netns_cookie).any(|other| other == *cookie)
        };
        cookies.retain(|cookie| !is_of_another(cookie));
        let mut existed = false;
        for cookie in cookies {
            existed |= node.unenroll_cookie(cookie, LOCK)?;
            existed |= match &netns {
                Some(netns) if netns.cookie() == cookie => self.rules.end(netns, LOCK),
                Some(_) | None => self.rules.forget(cookie),
            };
        }
        self.forget(sandbox);
        Ok(existed)
    }

    /// Whether the pod with this network namespace is intercepted, and completely.
    pub(crate) fn state(&self, netns: OwnedFd) -> Result<State, EnrollError> {
        let netns = Netns::from_fd(netns)?;
        if let Some(rules) = netns.istio_rules()? {
            return Ok(if rules.ours { State::Complete } else { State::OtherRules(rules.filter) });
        }
        let cookie = netns.cookie();
        let pods = self.node()?.status()?;
        Ok(match pods.into_iter().find(|pod| pod.netns_cookie == cookie) {
            None => State::Absent,
            Some(pod) if pod.missing.is_empty() => State::Complete,
            Some(pod) => State::Missing(pod.missing),
        })
    }

    /// The records. What is no record is left alone.
    fn read(&self) -> Vec<Record> {
        match self.records.read() {
            Ok((records, _unreadable)) => records,
            Err(error) => {
                tracing::warn!("{error:#}");
                Vec::new()
            }
        }
    }

    /// A record that stays is no harm: it names no pod that is enrolled.
    fn forget(&self, sandbox: &str) {
        self.numbers.forget(sandbox);
        if let Err(error) = self.records.remove(sandbox) {
            tracing::warn!("{error:#}");
        }
    }
}
