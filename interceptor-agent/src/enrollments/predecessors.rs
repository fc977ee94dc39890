// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A pod whose sandbox died gets another one, with the same cgroup. The enrollment of the old one ends when the new one
//! is enrolled. The enrollment of another pod never does.

use std::collections::BTreeSet;

use anyhow::anyhow;
use interceptor::{EnrollError, Node, records::Record};

use super::{Enrollments, LOCK, intercept::NO_CGROUP};

impl Enrollments {
    /// Ends every other enrollment of the cgroup. They are of sandboxes of the pod that died.
    pub(super) fn end_others(&self, node: &Node, new: &Record) -> Result<(), EnrollError> {
        let enrolled = node.enrollments()?;
        let has_cgroup = |id: u64| id == new.cgroup_id && id != NO_CGROUP;
        let others = enrolled
            .iter()
            .filter(|(cookie, enrollment)| has_cgroup(enrollment.cgroup_id) && *cookie != new.netns_cookie);
        let old: BTreeSet<u64> = others.map(|(cookie, _)| *cookie).collect();
        if old.is_empty() && self.rules.read().is_empty() {
            return Ok(()); // as nearly always; so no record has to be read
        }
        let records = self.read();
        let is_enrolled = |record: &Record| {
            let mut enrolled = enrolled.iter();
            enrolled.any(|(cookie, entry)| record.is_of(*cookie, entry.netns_inode))
        };
        let is_of_another = |record: &&Record| {
            has_cgroup(record.cgroup_id)
                && record.pod != new.pod
                && record.netns_cookie != new.netns_cookie
                && (is_enrolled(record) || self.rules.has(record))
        };
        if let Some(other) = records.iter().find(is_of_another) {
            return Err(cgroup_of_another(new, other));
        }
        for cookie in &old {
            tracing::info!(
                pod = %new.pod, cookie, new = new.netns_cookie,
                "ending the enrollment of the pod's previous sandbox"
            );
            node.unenroll_cookie(*cookie, LOCK)?;
        }
        // The cgroup of a pod that is made anew is another one, and its name is the same.
        let had_rules = |record: &Record| {
            record.pod == new.pod && record.netns_cookie != new.netns_cookie && self.rules.has(record)
        };
        for record in records {
            if had_rules(&record) {
                self.rules.forget(record.netns_cookie);
                self.forget(&record.sandbox);
            } else if old.contains(&record.netns_cookie) {
                self.forget(&record.sandbox);
            }
        }
        Ok(())
    }
}

/// Pods share no cgroup: one of the two was found wrongly, and neither may end the interception of the other.
fn cgroup_of_another(new: &Record, other: &Record) -> EnrollError {
    let path = new.cgroup_path.as_deref().unwrap_or("its own");
    anyhow!(
        "The pod {} is not enrolled, because the pod {} is enrolled with the \
         same cgroup, {path}; `interceptor status` lists pods",
        new.pod,
        other.pod
    )
    .into()
}
