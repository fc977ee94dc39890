// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A look at a pod: its network is read again, and its policy follows with the settings of its record. Whatever a pod
//! makes its network look like, only that look waits for it. Everything here blocks.

use anyhow::anyhow;
use interceptor::{Change, EnrollError, Netns, Node, Prepared, namespaces::processes, records::Record};

use crate::enrollments::{Enrollments, LOCK};

/// What a look found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Looked {
    /// The pod is not enrolled any more.
    Gone,
    /// The pod is not enrolled yet.
    TooEarly,
    Unchanged,
    /// What the pod's network had lost was put back.
    Mended,
    /// The policy has followed the pod's network.
    Switched,
    /// Somebody else has switched the pod, and it is left alone.
    OfAnother,
}

/// What is to be done.
#[derive(Debug)]
pub(super) enum Found {
    Nothing(Looked),
    /// The policy, or the record, has to follow.
    Change(Box<Due>),
}

/// A policy that has to follow.
#[derive(Debug)]
pub(super) struct Due {
    record: Record,
    netns: Netns,
    prepared: Prepared,
}

/// Looks at a pod, and changes nothing.
pub(super) fn look(enrollments: &Enrollments, sandbox: &str) -> Result<Found, EnrollError> {
    let Some(record) = enrollments.records().get(sandbox)? else {
        // What is heard of a pod that is being enrolled is looked at when it is.
        let waits = enrollments.numbers().has(sandbox);
        return Ok(Found::Nothing(if waits { Looked::TooEarly } else { Looked::Gone }));
    };
    let node = enrollments.node()?;
    let Some(fingerprint) = fingerprint(&node, &record)? else {
        // The record comes before the pod is in force, and with its fingerprint after that.
        let is_new = record.fingerprint.is_none();
        return Ok(Found::Nothing(if is_new { Looked::TooEarly } else { Looked::Gone }));
    };
    let netns = record.open_netns(processes()).ok_or_else(|| not_found(&record))?;
    enrollments.numbers().note(&netns, sandbox);
    let prepared = node.prepare_refresh(&netns, &record.wanted()?)?;
    let change = node.plan_prepared(&netns, &prepared)?.plan.change;
    let is_ours = record.fingerprint.is_none_or(|ours| ours == fingerprint);
    // A run that was killed before it wrote the record leaves what this one would put in force.
    Ok(if !is_ours && change == Change::Switch {
        Found::Nothing(Looked::OfAnother)
    } else if change == Change::Nothing && record.fingerprint == Some(fingerprint) {
        Found::Nothing(Looked::Unchanged)
    } else {
        Found::Change(Box::new(Due { record, netns, prepared }))
    })
}

/// Puts in force what a look found.
pub(super) fn follow(enrollments: &Enrollments, due: Due) -> Result<Looked, EnrollError> {
    let Due { mut record, netns, prepared } = due;
    if enrollments.records().get(&record.sandbox)?.as_ref() != Some(&record) {
        return Ok(Looked::TooEarly); // it was enrolled anew meanwhile, or ended
    }
    let node = enrollments.node()?;
    let change = node.refresh_prepared(&netns, &prepared, LOCK)?.plan.change;
    let now_in_force = fingerprint(&node, &record)?;
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

fn not_found(record: &Record) -> EnrollError {
    anyhow!(
        "Failed to find the pod's network namespace: net:[{}] has no name that is visible here, and no process; mount \
         the host's /proc at /host/proc, which needs CAP_SYS_PTRACE",
        record.netns_inode
    )
    .into()
}
