// SPDX-License-Identifier: Apache-2.0 OR MIT
//! One look at a pod: its network is read again, and its policy follows with the settings of its record. It blocks.

use anyhow::anyhow;
use interceptor::{Change, EnrollError, Netns, Node, Wanted, namespaces::processes, records::Record};

use crate::enrollments::{Enrollments, LOCK};

/// What a look found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Looked {
    /// The pod is not enrolled any more.
    Gone,
    Unchanged,
    /// What the pod's network had lost was put back.
    Mended,
    /// The policy has followed the pod's network.
    Switched,
    /// Somebody else has switched the pod, and it is left alone.
    OfAnother,
}

pub(super) fn look(enrollments: &Enrollments, sandbox: &str) -> Result<Looked, EnrollError> {
    let Some(mut record) = enrollments.records().get(sandbox)? else {
        return Ok(Looked::Gone);
    };
    let node = enrollments.node()?;
    let Some(fingerprint) = fingerprint(&node, &record)? else {
        return Ok(Looked::Gone);
    };
    let netns = record.open_netns(processes()).ok_or_else(|| not_found(&record))?;
    enrollments.numbers().note(&netns, sandbox);
    let wanted = record.wanted()?;
    let is_ours = record.fingerprint.is_none_or(|ours| ours == fingerprint);
    // A run that was killed before it wrote the record leaves what this one would put in force.
    if !is_ours && would_switch(&node, &netns, &wanted)? {
        return Ok(Looked::OfAnother);
    }
    let change = node.refresh(&netns, &wanted, LOCK)?.plan.change;
    let now_in_force = self::fingerprint(&node, &record)?;
    if record.fingerprint != now_in_force {
        record.fingerprint = now_in_force;
        enrollments.records().write(&record)?;
    }
    let pod = &record.pod;
    Ok(match change {
        Change::Nothing => Looked::Unchanged,
        Change::Mend => {
            tracing::info!(%pod, "put back what the pod's network had lost");
            Looked::Mended
        }
        Change::Switch | Change::Enroll => {
            tracing::info!(%pod, "the pod's network has changed, and its policy with it");
            Looked::Switched
        }
    })
}

/// The fingerprint of the policy that is in force in the pod of this record.
fn fingerprint(node: &Node, record: &Record) -> Result<Option<u64>, EnrollError> {
    let enrollment = node.enrollment(record.netns_cookie)?;
    let enrollment = enrollment.filter(|enrollment| record.is_of(record.netns_cookie, enrollment.netns_inode));
    Ok(enrollment.map(|enrollment| enrollment.fingerprint))
}

fn would_switch(node: &Node, netns: &Netns, wanted: &Wanted) -> Result<bool, EnrollError> {
    Ok(node.plan_refresh(netns, wanted)?.plan.change == Change::Switch)
}

fn not_found(record: &Record) -> EnrollError {
    anyhow!(
        "Failed to find the pod's network namespace: net:[{}] has no name that is visible here, and no process; mount \
         the host's /proc at /host/proc, which needs CAP_SYS_PTRACE",
        record.netns_inode
    )
    .into()
}
