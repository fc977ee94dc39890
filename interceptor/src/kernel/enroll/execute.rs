// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Enrolling a pod: look at what is there, draw a plan, carry it out. It is all or nothing: a pod that was not
//! enrolled before a run that failed is not enrolled after it.

use std::{
    collections::HashSet,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, anyhow};
use interceptor_policy::{Enrollment, NodeState, Policy, PolicyFlags};

use crate::{
    EnrollError, Missing,
    error::is_not_permitted,
    kernel::{
        check,
        enroll::{
            adopt, adopt_agent,
            plan::{Leftovers, Request, draw},
            steps::{Change, Plan, Step},
            unenroll::remove,
        },
        node::{
            acceleration::PinnedAcceleration, bpffs::Bpffs, guard, links, lock::Lock, pinned::PinnedNode, removal,
            slot_tables::Changes, staging::Staged,
        },
        pod::{agent_routes, ipv6, loopback},
        programs::{build::Build, fingerprint::fingerprint},
        sys::capabilities::{self, CAP_BPF, CAP_NET_ADMIN, CAP_PERFMON},
    },
};

/// Enrolls a pod, or switches it to another policy. Changes nothing if nothing would change.
///
/// What takes long is done before the lock is taken: checking the kernel, and having the verifier go through the
/// programs. Two runs that load them at once both succeed, and the one that is slower throws its programs away.
pub(crate) fn enroll(bpffs: &Bpffs, request: Request<'_>, wait: Duration) -> Result<Plan> {
    let enrolled = prepare_and_enroll(bpffs, request, Instant::now() + wait);
    if enrolled.is_err() {
        // The first error is the one to report.
        let _removed = bpffs.home().remove_if_empty();
    }
    enrolled
}

fn prepare_and_enroll(bpffs: &Bpffs, request: Request<'_>, deadline: Instant) -> Result<Plan> {
    loop {
        let prepared = prepare(bpffs, request)?;
        let lock = Lock::take(&bpffs.home(), deadline.saturating_duration_since(Instant::now()))?;
        // What was there a moment ago may be gone, because its last pod is gone. Then it has to be loaded after all.
        if prepared.staged.is_some() || PinnedNode::open(bpffs)?.is_some() {
            return enroll_locked(bpffs, &lock, prepared, request);
        }
    }
}

/// What was done before the lock was taken.
struct Prepared {
    staged: Option<Staged>,
    /// Whether the kernel was found fit for acceleration.
    fit_for_acceleration: bool,
}

/// Loads what is not there. Fails if the kernel is not fit for what is wanted.
fn prepare(bpffs: &Bpffs, request: Request<'_>) -> Result<Prepared> {
    let node = PinnedNode::open(bpffs)?;
    let fit_for_acceleration = draw(bpffs, node.as_ref(), request)?.steps.contains(&Step::LoadAcceleration);
    if fit_for_acceleration {
        gate_acceleration(request)?;
    }
    let staged = match node {
        Some(_) => None,
        None => Some(Staged::load(bpffs).map_err(|error| what_is_lacking(bpffs, error))?),
    };
    Ok(Prepared { staged, fit_for_acceleration })
}

fn gate_acceleration(request: Request<'_>) -> Result<(), EnrollError> {
    check::acceleration::gate(request.force_acceleration).map_err(|error| match error.downcast() {
        Ok(error @ EnrollError::LacksCapability { .. }) => error,
        Ok(error) => EnrollError::AccelerationUnfit(error.into()),
        Err(error) => EnrollError::AccelerationUnfit(error),
    })
}

fn enroll_locked(bpffs: &Bpffs, lock: &Lock, prepared: Prepared, request: Request<'_>) -> Result<Plan> {
    let Prepared { staged, fit_for_acceleration } = prepared;
    removal::finish(bpffs, lock)?;
    let mut node = PinnedNode::open(bpffs)?;
    if let Some(node) = &mut node {
        let cleaned = match request.leftovers {
            Leftovers::Collected => node.collect_garbage().map(drop),
            Leftovers::Left => node.finish_begun(),
        };
        cleaned.context("Failed to clean up after earlier runs")?;
    }
    let plan = draw(bpffs, node.as_ref(), request)?;
    if plan.steps.contains(&Step::LoadAcceleration) && !fit_for_acceleration {
        gate_acceleration(request)?; // acceleration was removed from the node since
    }
    let done = execute(bpffs, lock, staged, &mut node, &plan, request);
    if done.is_err() && plan.change == Change::Enroll {
        // The pod is left as it was. The first error is the one to report.
        let _undone = remove(bpffs, lock, node.as_mut(), request.netns.cookie());
    }
    done.map(|()| plan)
}

fn execute(
    bpffs: &Bpffs,
    lock: &Lock,
    mut staged: Option<Staged>,
    node: &mut Option<PinnedNode>,
    plan: &Plan,
    request: Request<'_>,
) -> Result<()> {
    let mut progress = Progress::default();
    for step in &plan.steps {
        tracing::debug!("{step}");
        if *step == Step::LoadPrograms {
            staged.take().context("The programs are not loaded")?.publish(bpffs, lock)?;
            *node = PinnedNode::open(bpffs)?;
            continue;
        }
        let node = node.as_mut().context("The programs are not loaded")?;
        carry_out(step, node, request, plan.change, &mut progress)?;
    }
    Ok(())
}

/// What later steps have to know of earlier ones.
#[derive(Default)]
struct Progress {
    generation: u32,
    /// By their inode numbers.
    known_listeners: HashSet<u64>,
    /// The pod's table of slots, which is there before the pod's entry.
    slots: Changes,
}

fn carry_out(
    step: &Step,
    node: &mut PinnedNode,
    request: Request<'_>,
    change: Change,
    progress: &mut Progress,
) -> Result<()> {
    let Request { netns, cgroup, policy, .. } = request;
    match step {
        Step::LoadPrograms => Ok(()), // done before there was a node
        Step::LoadAcceleration => PinnedAcceleration::load(&node.layout).map(drop),
        Step::PrepareIpv6 => ipv6::prepare(netns).and_then(|()| loopback::carries_ipv6(netns)),
        Step::PrepareDns { ipv4, ipv6 } => agent_routes::prepare(netns, *ipv4, *ipv6),
        Step::PrepareTproxy(routing) => routing.prepare(netns),
        Step::WriteLists { .. } => {
            progress.generation = next_generation(node)?;
            progress.slots = node.maps.slots.add(netns.cookie())?;
            node.maps.write_lists(progress.generation, policy)
        }
        Step::Attach { .. } => {
            links::attach_missing(&node.layout, &policy.policy, cgroup, netns)?;
            if policy.policy.has(PolicyFlags::GUARD) {
                guard::attach_missing(&node.layout, netns)?;
            }
            Ok(())
        }
        Step::AdoptListeners { .. } => {
            let adopted = adopt::adopt(&mut node.maps, netns, policy, &mut progress.known_listeners)?;
            let agents = adopt_agent::adopt_agent(&mut node.maps, netns, policy)?;
            tracing::debug!(adopted, agents, "recorded sockets that already listen");
            Ok(())
        }
        Step::PutInForce { netns_cookie } => {
            node.maps.add_counters(*netns_cookie)?;
            std::mem::take(&mut progress.slots).wait_until_seen(&node.maps.slots)?;
            node.maps.set_pod(*netns_cookie, entry(progress.generation, request)?)?;
            if let Some(mut acceleration) = PinnedAcceleration::open(&node.layout)? {
                node.publish_pod_addresses(&mut acceleration)?;
            }
            if change == Change::Enroll {
                let state = node.maps.node()?;
                node.maps.set_node(NodeState { unfinished: 0, ..state })?;
            }
            Ok(())
        }
        Step::AdoptLateListeners => {
            // The kernel's callback for `listen()` finds the pod enrolled from now on. Whoever called `listen()` since
            // the first look, and before that, is found now. The pod is enrolled, and stays so if this fails.
            if let Err(error) = adopt::adopt(&mut node.maps, netns, policy, &mut progress.known_listeners) {
                tracing::warn!(
                    "a sidecar that has just begun to listen may not be known, and connections are refused until it \
                     listens again: {error:#}"
                );
            }
            Ok(())
        }
        Step::RemoveOldLists => {
            node.finish()?;
            node.retire_guards()?;
            node.retire_acceleration()
        }
    }
}

/// The generation for a new policy. From here on there may be list entries that no pod refers to, which is noted.
fn next_generation(node: &mut PinnedNode) -> Result<u32> {
    if let Some(build) = node.build()?.filter(|build| *build != Build::this()) {
        tracing::warn!("the pod gets the programs of another build, {build}, because those are loaded");
    }
    let state = node.maps.node()?;
    let generation = state.last_generation + 1;
    if generation > Policy::MAX_GENERATION {
        return Err(EnrollError::GenerationsUsedUp { max: Policy::MAX_GENERATION }.into());
    }
    node.maps.set_node(NodeState { last_generation: generation, unfinished: 1 })?;
    Ok(generation)
}

/// The pod's entry in the map of pods.
fn entry(generation: u32, request: Request<'_>) -> Result<Enrollment> {
    let Request { netns, cgroup, policy, .. } = request;
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

/// Why programs could not be loaded: a capability that this process lacks, or what the kernel lacks, found by trying
/// each feature by itself. (Without `CAP_PERFMON`, the verifier refuses programs as if they were faulty.)
pub(super) fn what_is_lacking(bpffs: &Bpffs, error: anyhow::Error) -> anyhow::Error {
    let lacking = capabilities::lacking([CAP_BPF, CAP_NET_ADMIN, CAP_PERFMON]).unwrap_or_default();
    if !lacking.is_empty() {
        let names = lacking.join(", ");
        return EnrollError::NotPermitted(anyhow!("{names}, without which the kernel refuses the programs")).into();
    }
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
