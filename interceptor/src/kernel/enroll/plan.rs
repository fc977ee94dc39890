// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Draws the plan of a run: looks at what is there, and compares it with what is wanted. It changes nothing.

use std::collections::HashSet;

use anyhow::Result;
use interceptor_config::CompiledPolicy;
use interceptor_policy::{Enrollment, MAX_PODS, PolicyFlags};

use crate::{
    EnrollError,
    kernel::{
        enroll::{
            network,
            steps::{Change, Plan, Step},
        },
        node::{
            acceleration::PinnedAcceleration,
            bpffs::Bpffs,
            guard,
            links::{self, Links},
            pinned::PinnedNode,
        },
        pod::{
            cgroup::{self, Cgroup},
            cgroup_tree,
            netns::Netns,
        },
        programs::{fingerprint::fingerprint, table::GUARD},
    },
};

/// What is wanted: this pod, intercepted by this policy.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Request<'a> {
    pub(crate) netns: &'a Netns,
    pub(crate) cgroup: &'a Cgroup,
    pub(crate) policy: &'a CompiledPolicy,
    /// Apply the policy even if it is in force already.
    pub(crate) force: bool,
    /// Accelerate even if the kernel does not pass the check of acceleration.
    pub(crate) force_acceleration: bool,
    /// Fail if the pod is not enrolled.
    pub(crate) enrolled_only: bool,
    pub(crate) leftovers: Leftovers,
}

/// What becomes of what is left of other pods.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Leftovers {
    /// It is looked for, and removed.
    Collected,
    /// Somebody else collects it.
    Left,
}

/// Draws the plan for a request.
pub(crate) fn draw(bpffs: &Bpffs, node: Option<&PinnedNode>, request: Request<'_>) -> Result<Plan> {
    let Request { netns, cgroup, policy, force, force_acceleration: _, enrolled_only, leftovers: _ } = request;
    let netns_cookie = netns.cookie();
    let enrollment = node.map(|node| node.maps.pod(netns_cookie)).transpose()?.flatten();
    if enrolled_only && enrollment.is_none() {
        return Err(EnrollError::NotEnrolled { name: netns.name().to_owned() }.into());
    }
    let Links { attached: _, mut missing } = links::look(&bpffs.layout(), netns_cookie, cgroup.id(), &policy.policy);
    if policy.policy.has(PolicyFlags::GUARD) && !guard::unguarded(&bpffs.layout(), netns)?.is_empty() {
        missing.push(GUARD.name);
    }
    if let Some(Enrollment { cgroup_id, .. }) = enrollment
        && cgroup_id != cgroup.id()
    {
        let enrolled = cgroup::path_of(cgroup_id).unwrap_or_else(|| format!("with id {cgroup_id}").into());
        return Err(EnrollError::OtherCgroup { enrolled, asked: cgroup.path().to_path_buf() }.into());
    }
    let change = match enrollment {
        None => Change::Enroll,
        Some(old) if old.fingerprint == fingerprint(policy) && missing.is_empty() && !force => {
            let lost = network::lost(netns, policy)?;
            let change = if lost.is_empty() { Change::Nothing } else { Change::Mend };
            return Ok(Plan { change, steps: lost });
        }
        Some(_) => Change::Switch,
    };
    if change == Change::Enroll {
        check_room(node, cgroup)?;
    }
    Ok(Plan { change, steps: steps(bpffs, node, request, change, missing)? })
}

/// Fails if there is no room for another pod, or no other pod's cgroup may be where this one is.
fn check_room(node: Option<&PinnedNode>, cgroup: &Cgroup) -> Result<()> {
    let enrolled = node.map(|node| node.maps.pods()).transpose()?.unwrap_or_default();
    if enrolled.len() >= MAX_PODS {
        return Err(EnrollError::NodeFull { max: MAX_PODS }.into());
    }
    let cgroups: HashSet<u64> = enrolled.iter().map(|(_, pod)| pod.cgroup_id).collect();
    match cgroup_tree::relative(cgroup.path(), &cgroups)? {
        Some(enrolled) => Err(EnrollError::NestedCgroup { enrolled, asked: cgroup.path().to_path_buf() }.into()),
        None => Ok(()),
    }
}

fn steps(
    bpffs: &Bpffs,
    node: Option<&PinnedNode>,
    request: Request<'_>,
    change: Change,
    missing: Vec<&'static str>,
) -> Result<Vec<Step>> {
    let Request { netns, cgroup, policy, .. } = request;
    let CompiledPolicy { policy: scalars, addresses, numbers, sources, primaries } = policy;
    let mut steps = Vec::new();
    if node.is_none() {
        tracing::debug!(pins = %bpffs.layout().root().display(), "the programs are not loaded yet");
        steps.push(Step::LoadPrograms);
    }
    if scalars.has(PolicyFlags::ACCELERATE) && PinnedAcceleration::open(&bpffs.layout())?.is_none() {
        steps.push(Step::LoadAcceleration);
    }
    steps.extend(network::preparations(policy));
    steps.push(Step::WriteLists {
        addresses: addresses.len(),
        numbers: numbers.len(),
        sources: sources.len(),
        primaries: primaries.len(),
    });
    if !missing.is_empty() {
        let (cgroup, netns) = (cgroup.path().to_path_buf(), netns.name().to_owned());
        steps.push(Step::Attach { programs: missing, cgroup, netns });
    }
    steps.push(Step::AdoptListeners { ports: [scalars.outbound_port, scalars.inbound_port] });
    steps.push(Step::PutInForce { netns_cookie: netns.cookie() });
    steps.push(Step::AdoptLateListeners);
    if change == Change::Switch {
        steps.push(Step::RemoveOldLists);
    }
    Ok(steps)
}
