// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Enrolling a pod: look at what is there, draw a plan, carry it out. It is all or nothing: a pod that was not enrolled
//! before a run that failed is not enrolled after it.

use std::time::Duration;

use anyhow::{Context as _, Result};
use interceptor_policy::{Enrollment, NodeState, Policy};

use crate::{
    EnrollError, Missing,
    error::is_not_permitted,
    kernel::{
        check,
        enroll::{
            adopt,
            plan::{Change, Plan, Request, Step, draw},
            unenroll::remove,
        },
        node::{acceleration::PinnedAcceleration, bpffs::Bpffs, links, lock::Lock, pinned::PinnedNode},
        pod::ipv6,
        programs::fingerprint::fingerprint,
    },
};

/// Enrolls a pod, or switches it to another policy. Changes nothing if nothing would change.
pub(crate) fn enroll(bpffs: &Bpffs, request: Request<'_>, wait: Duration) -> Result<Plan> {
    let lock = Lock::take(bpffs.root(), wait)?;
    bpffs.finish_removal(&lock)?;
    let mut node = PinnedNode::open(bpffs)?;
    if let Some(node) = &mut node {
        node.collect_garbage().context("Failed to clean up after earlier runs")?;
    }
    let plan = draw(bpffs, node.as_ref(), request)?;
    if plan.steps.contains(&Step::LoadAcceleration) {
        check::acceleration::gate(request.force_acceleration).map_err(EnrollError::AccelerationUnfit)?;
    }
    let done = execute(bpffs, &lock, &mut node, &plan, request);
    if done.is_err() && plan.change == Change::Enroll {
        // The pod is left as it was. The first error is the one to report.
        let _undone = remove(bpffs, &lock, node.as_mut(), request.netns.cookie());
    }
    done.map(|()| plan)
}

fn execute(bpffs: &Bpffs, lock: &Lock, node: &mut Option<PinnedNode>, plan: &Plan, request: Request<'_>) -> Result<()> {
    let mut generation = 0;
    for step in &plan.steps {
        tracing::debug!("{step}");
        if *step == Step::LoadPrograms {
            *node = Some(PinnedNode::load(bpffs, lock).map_err(|error| what_is_lacking(bpffs, error))?);
            continue;
        }
        let node = node.as_mut().context("The programs are not loaded")?;
        carry_out(step, node, request, plan.change, &mut generation)?;
    }
    Ok(())
}

fn carry_out(
    step: &Step,
    node: &mut PinnedNode,
    request: Request<'_>,
    change: Change,
    generation: &mut u32,
) -> Result<()> {
    let Request { netns, cgroup, policy, force: _, force_acceleration: _ } = request;
    match step {
        Step::LoadPrograms => Ok(()), // done before there was a node
        Step::LoadAcceleration => PinnedAcceleration::load(&node.layout).map(drop),
        Step::PrepareIpv6 => ipv6::prepare(netns),
        Step::PrepareTproxy(routing) => routing.prepare(netns),
        Step::WriteLists { .. } => {
            *generation = next_generation(node)?;
            node.maps.write_lists(*generation, policy)
        }
        Step::Attach { .. } => links::attach_missing(&node.layout, &policy.policy, cgroup, netns),
        Step::AdoptListeners { .. } => {
            let adopted = adopt::adopt(&mut node.maps, netns, policy)?;
            tracing::debug!(adopted, "recorded sockets that already listen");
            Ok(())
        }
        Step::PutInForce { netns_cookie } => {
            node.maps.add_counters(*netns_cookie)?;
            node.maps.set_pod(*netns_cookie, entry(*generation, request)?)?;
            if let Some(mut acceleration) = PinnedAcceleration::open(&node.layout)? {
                node.publish_pod_addresses(&mut acceleration)?;
            }
            if change == Change::Enroll {
                let state = node.maps.node()?;
                node.maps.set_node(NodeState { unfinished: 0, ..state })?;
            }
            Ok(())
        }
        Step::RemoveOldLists => {
            node.finish()?;
            node.retire_acceleration()
        }
    }
}

/// The generation for a new policy. From here on there may be list entries that no pod refers to, which is noted.
fn next_generation(node: &mut PinnedNode) -> Result<u32> {
    if node.is_of_another_build()? {
        tracing::warn!("the loaded programs are of another build; they are replaced when no pod is enrolled any more");
    }
    let state = node.maps.node()?;
    let generation = state.last_generation + 1;
    if generation > Policy::MAX_GENERATION {
        return Err(EnrollError::GenerationsUsedUp { max: Policy::MAX_GENERATION }.into());
    }
    node.maps
        .set_node(NodeState { last_generation: generation, unfinished: 1, ..state })?;
    Ok(generation)
}

/// The pod's entry in the map of pods.
fn entry(generation: u32, request: Request<'_>) -> Result<Enrollment> {
    let Request { netns, cgroup, policy, force: _, force_acceleration: _ } = request;
    let mut scalars = policy.policy;
    scalars.generation = generation;
    Ok(Enrollment {
        policy: scalars,
        fingerprint: fingerprint(policy),
        netns_inode: netns.inode(),
        cgroup_id: cgroup.id(),
        addresses: u32::try_from(policy.addresses.len())?,
        numbers: u32::try_from(policy.numbers.len())?,
    })
}

/// What the kernel lacks, found by trying each feature by itself, if programs could not be loaded.
fn what_is_lacking(bpffs: &Bpffs, error: anyhow::Error) -> anyhow::Error {
    if is_not_permitted(&error) {
        return error;
    }
    let missing: Vec<Missing> = check::features::missing(bpffs.root());
    if missing.is_empty() {
        error
    } else {
        EnrollError::KernelLacks { missing, source: error }.into()
    }
}
