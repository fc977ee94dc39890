// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Pods whose enrollment went with the BPF file system, because somebody unmounted it. The records say how they were
//! enrolled, and they are enrolled again in the file system that is mounted now.

use std::{cmp::Reverse, collections::BTreeSet, time::SystemTime};

use interceptor::{Cgroup, EnrollError, Node, Pod, namespaces::processes, records::Record};

use super::Enrollments;

/// What became of pods whose enrollment was lost.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Restored {
    /// They are enrolled again.
    pub(crate) pods: usize,
    /// They are to be tried again.
    pub(crate) waiting: usize,
}

/// What became of one of them.
enum Again {
    Enrolled,
    /// Its network namespace is gone, or another sandbox has taken its place.
    Gone,
    /// Its programs are still attached: something holds the file system that they are pinned in.
    Held,
}

impl Enrollments {
    /// Enrolls pods again whose enrollment was lost. A pod that cannot be enrolled keeps its record.
    pub(crate) fn restore(&self) -> Result<Restored, EnrollError> {
        let node = self.node()?;
        let (home, enrolled) = (node.home()?, node.enrollments()?);
        let cookies: BTreeSet<u64> = enrolled.iter().map(|(cookie, _)| *cookie).collect();
        let mut cgroups: BTreeSet<u64> = enrolled.iter().map(|(_, enrollment)| enrollment.cgroup_id).collect();
        let mut lost = self.read();
        lost.retain(|record| is_elsewhere(record, home) && !cookies.contains(&record.netns_cookie));
        // Of two sandboxes of a pod, the first one has died.
        lost.sort_by_key(|record| Reverse(record.since));
        let mut restored = Restored::default();
        for record in lost {
            if node.is_pinned(record.netns_cookie)? {
                continue; // another version has enrolled it
            }
            let is_newest = cgroups.insert(record.cgroup_id);
            let again = if is_newest { self.enroll_again(&node, &record) } else { Ok(Again::Gone) };
            let (pod, sandbox) = (&record.pod, &record.sandbox);
            match again {
                Ok(Again::Enrolled) => {
                    tracing::warn!(%pod, "enrolled the pod again, because the BPF file system was unmounted");
                    restored.pods += 1;
                }
                Ok(Again::Gone) => self.forget(sandbox),
                Ok(Again::Held) => {
                    tracing::debug!(%pod, "the pod stays enrolled by a BPF file system that is not visible here");
                    restored.waiting += 1;
                }
                Err(error) => {
                    let error = anyhow::Error::new(error);
                    tracing::error!(
                        %pod,
                        "the BPF file system was unmounted, so the pod is not intercepted; Failed to enroll it again, \
                         trying again: {error:#}"
                    );
                    restored.waiting += 1;
                }
            }
        }
        Ok(restored)
    }

    /// What changes when pods are enrolled or not any more, or when another file system is mounted.
    pub(crate) fn outline(&self) -> Result<(Option<u64>, SystemTime), EnrollError> {
        Ok((self.node()?.home()?, self.records.changed()?))
    }

    fn enroll_again(&self, node: &Node, record: &Record) -> Result<Again, EnrollError> {
        let Some(netns) = record.open_netns(processes()) else {
            return Ok(Again::Gone);
        };
        if netns.has_programs()? {
            return Ok(Again::Held);
        }
        let wanted = record.wanted()?;
        let target = Pod::new(netns, Cgroup::with_id(record.cgroup_id)?);
        self.numbers.note(target.netns(), &record.sandbox);
        let prepared = node.prepare(target.netns(), &wanted)?;
        self.put_in_force(node, record.clone(), &target, &prepared)?;
        Ok(Again::Enrolled)
    }
}

/// Whether a pod was enrolled in another BPF file system than the one with this home.
pub(super) fn is_elsewhere(record: &Record, home: Option<u64>) -> bool {
    record.home.is_some() && record.home != home
}
