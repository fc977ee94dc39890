// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Enrolling and unenrolling by the sandboxes of the runtime. State is keyed by sandbox, because a pod whose sandbox
//! died gets another one with the same cgroup, and the end of the old one may be told after the begin of the new one.
//! Everything here blocks.

mod adopt;
mod predecessors;
mod restore;

use std::{
    collections::BTreeSet,
    os::fd::OwnedFd,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use interceptor::{
    Cgroup, EnrollError, Enrolled, Netns, Node, Pod, Wanted,
    records::{PodName, Record, Records, settings},
};
use interceptor_wire::Attachment;
use nix::poll::{PollTimeout, poll};

pub(crate) use self::restore::Restored;
use crate::{
    data_path::{Choice, Kernel},
    numbers::Numbers,
    rules::Rules,
};

/// In place of the sandbox's name, of pods that were repaired: only the runtime knows that name.
pub(crate) const REPAIRED: &str = "repaired-";
/// How long to wait for the lock of the node, which commands take as well.
pub(crate) const LOCK: Duration = Duration::from_secs(5);

/// In place of the cgroup's id, of pods with rules whose cgroup nobody knows. No cgroup has it.
const NO_CGROUP: u64 = 0;

/// How long to wait until `lo` is up.
const LO: Duration = Duration::from_secs(1);
/// Between two looks at it, in milliseconds.
const PAUSE: u16 = 20;

/// The enrollments of this node, with their records.
#[derive(Debug)]
pub(crate) struct Enrollments {
    bpffs: PathBuf,
    records: Records,
    rules: Rules,
    kernel: Arc<Kernel>,
    numbers: Arc<Numbers>,
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

    /// Intercepts a pod, by what this node can and the pod asks for. Every other enrollment of its cgroup is ended
    /// first: it is of a sandbox that died.
    ///
    /// The record is written before, so that a pod that is intercepted when this process is killed has its name.
    pub(crate) fn intercept(
        &self,
        attachment: &Attachment,
        pod: PodName,
        (netns, cgroup): (OwnedFd, Option<OwnedFd>),
        wanted: Wanted,
    ) -> Result<Intercepted, EnrollError> {
        let choice = self.kernel.choose(wanted.config().data_path);
        if let Choice::Skip(why) = choice {
            return Ok(Intercepted::Skipped(why));
        }
        let node = self.node()?;
        let netns = Netns::from_fd(netns)?;
        let cgroup = cgroup.map(Cgroup::from_fd).transpose()?;
        if let Some(rules) = netns.istio_rules()?.filter(|rules| !rules.ours) {
            return Err(EnrollError::OtherRules { name: format!("The pod {pod}"), filter: rules.filter });
        }
        let record = record(attachment, pod, (&netns, cgroup.as_ref()), &wanted)?;
        self.end_others(&node, &record)?;
        match choice {
            Choice::Rules(why) => {
                self.records.write(&record)?;
                let applied = self.rules.apply(&netns, &wanted.by_iptables(), &node, LOCK);
                if applied.is_err() {
                    self.forget(&record.sandbox);
                }
                applied.map(|()| Intercepted::Rules(why))
            }
            Choice::Programs | Choice::Skip(_) => {
                let target = Pod::new(netns, cgroup.ok_or_else(no_cgroup)?);
                self.enroll(&node, record, &target, &wanted).map(Intercepted::Enrolled)
            }
        }
    }

    fn enroll(&self, node: &Node, record: Record, target: &Pod, wanted: &Wanted) -> Result<Enrolled, EnrollError> {
        self.records.write(&record)?;
        let (sandbox, cookie) = (record.sandbox.clone(), record.netns_cookie);
        let enrolled = self.put_in_force(node, record, target, wanted);
        if enrolled.is_err() && matches!(node.enrollment(cookie), Ok(None)) {
            self.forget(&sandbox);
        }
        enrolled
    }

    /// Enrolls a pod that has a record.
    fn put_in_force(
        &self,
        node: &Node,
        mut record: Record,
        target: &Pod,
        wanted: &Wanted,
    ) -> Result<Enrolled, EnrollError> {
        // What changes from now on is heard of.
        self.numbers.note(target.netns(), &record.sandbox);
        let enrolled = enroll_once_lo_is_up(node, target, wanted)?;
        if let Ok(Some(enrollment)) = node.enrollment(record.netns_cookie) {
            record.fingerprint = Some(enrollment.fingerprint);
            record.home = node.home()?;
            self.records.write(&record)?;
        }
        Ok(enrolled)
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

/// Some runtimes run the plugin that brings `lo` up beside the others
/// ([`cni.go`](https://github.com/containerd/go-cni/blob/06e386d189bc1d3641c9566fe7e1d0d88dec4b2c/cni.go)).
fn enroll_once_lo_is_up(node: &Node, target: &Pod, wanted: &Wanted) -> Result<Enrolled, EnrollError> {
    let deadline = Instant::now() + LO;
    loop {
        match node.enroll(target, wanted, LOCK) {
            // A signal only makes the next try come earlier.
            Err(EnrollError::LoopbackDown) if Instant::now() < deadline => {
                poll(&mut [], PollTimeout::from(PAUSE)).unwrap_or_default();
            }
            done => return done,
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
