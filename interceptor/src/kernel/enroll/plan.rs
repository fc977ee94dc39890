// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Enrolling a pod: look at what is there, draw a plan, carry it out.

use std::{fmt, path::PathBuf};

use anyhow::{Context as _, Result, bail};
use interceptor_policy::{Enrollment, MAX_PODS, NodeState, Policy, PolicyFlags};

use crate::kernel::{
    check::acceleration as acceleration_trial,
    enroll::adopt,
    node::acceleration::Acceleration,
    node::bpffs::{Bpffs, Lock},
    node::links,
    node::pinned::Node,
    pod::cgroup::{self, Cgroup},
    pod::ipv6,
    pod::netns::Netns,
    pod::tproxy::MarkedRouting,
    programs::fingerprint::fingerprint,
};
use interceptor_config::CompiledPolicy;

/// What is wanted: this pod, intercepted by this policy.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    pub netns: &'a Netns,
    pub cgroup: &'a Cgroup,
    pub policy: &'a CompiledPolicy,
    /// Apply the policy even if it is in force already.
    pub force: bool,
    /// Accelerate even if the kernel does not pass the trial.
    pub force_acceleration: bool,
}

/// What a run does to a pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It is enrolled with this very policy.
    Nothing,
    Enroll,
    Switch,
}

/// The steps of a run, in order. The pod's interception begins, or changes, at [`Step::PutInForce`] and at no other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    pub change: Change,
    pub steps: Vec<Step>,
}

/// One step of a [`Plan`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    LoadPrograms,
    LoadAcceleration,
    PrepareIpv6,
    PrepareTproxy(MarkedRouting),
    WriteLists { addresses: usize, numbers: usize, sources: usize, primaries: usize },
    Attach { programs: Vec<&'static str>, cgroup: PathBuf, netns: PathBuf },
    AdoptListeners { ports: [u16; 2] },
    PutInForce { cookie: u64 },
    RemoveOldLists,
}

/// Enrolls a pod or switches it to another policy: all or nothing, and nothing when nothing would change.
pub fn enroll(bpffs: &Bpffs, request: Request<'_>) -> Result<Plan> {
    let lock = bpffs.lock()?;
    bpffs.finish_removal(&lock)?;
    let mut node = Node::open(bpffs)?;
    if let Some(node) = &mut node {
        node.collect_garbage().context("Failed to tidy up after earlier runs")?;
    }
    let plan = draw(bpffs, node.as_ref(), request)?;
    if plan.steps.contains(&Step::LoadAcceleration) {
        acceleration_trial::gate(request.force_acceleration)?;
    }
    let done = execute(bpffs, &lock, &mut node, &plan, request);
    if done.is_err() && plan.change == Change::Enroll {
        // A pod that was not enrolled before is left as it was; the first error is the one to report.
        let _undone = remove(bpffs, &lock, node.as_mut(), request.netns.cookie());
    }
    done.map(|()| plan)
}

/// Draws the plan for a request and changes nothing.
pub fn plan(bpffs: &Bpffs, request: Request<'_>) -> Result<Plan> {
    draw(bpffs, Node::open(bpffs)?.as_ref(), request)
}

/// Ends the interception of the pod with this cookie. Returns whether there was anything to end.
pub fn clean(bpffs: &Bpffs, cookie: u64) -> Result<bool> {
    let lock = bpffs.lock()?;
    bpffs.finish_removal(&lock)?;
    let mut node = Node::open(bpffs)?;
    remove(bpffs, &lock, node.as_mut(), cookie)
}

/// Ends the interception of all pods of the node and removes everything that any version has pinned.
pub fn clean_all(bpffs: &Bpffs) -> Result<bool> {
    let lock = bpffs.lock()?;
    if let Some(mut node) = Node::open(bpffs)? {
        // First what puts the programs in force, then the programs one by one.
        for (cookie, _) in node.tables.pods()? {
            node.tables.remove_pod(cookie)?;
        }
    }
    bpffs.remove_everything(&lock)
}

fn remove(bpffs: &Bpffs, lock: &Lock, node: Option<&mut Node>, cookie: u64) -> Result<bool> {
    let Some(node) = node else { return Ok(false) };
    let existed = node.tables.pod(cookie)?.is_some() || node.pod_directory(cookie).exists();
    if existed {
        node.remove_pod(cookie)?;
    }
    if node.tables.pods()?.is_empty() {
        bpffs.remove_everything(lock)?;
    }
    Ok(existed)
}

fn draw(bpffs: &Bpffs, node: Option<&Node>, request: Request<'_>) -> Result<Plan> {
    let Request { netns, cgroup, policy, force, force_acceleration: _ } = request;
    let cookie = netns.cookie();
    let enrollment = node.map(|node| node.tables.pod(cookie)).transpose()?.flatten();
    let directory = node.map_or_else(PathBuf::new, |node| node.pod_directory(cookie));
    let (_attached, missing) = links::attached_and_missing(&directory, &policy.policy);
    if let Some(Enrollment { cgroup_id, .. }) = enrollment
        && cgroup_id != cgroup.id()
    {
        bail!(
            "The pod is enrolled with the cgroup {}, not {}; run `interceptor clean --netns {}` first",
            cgroup::path_of(cgroup_id)
                .map_or_else(|| format!("with id {cgroup_id}"), |path| path.display().to_string()),
            cgroup.path().display(),
            netns.path().display()
        );
    }
    let change = match enrollment {
        None => Change::Enroll,
        Some(enrollment) if enrollment.fingerprint == fingerprint(policy) && missing.is_empty() && !force => {
            Change::Nothing
        }
        Some(_) => Change::Switch,
    };
    if change == Change::Nothing {
        return Ok(Plan { change, steps: Vec::new() });
    }
    let enrolled = node.map(|node| node.tables.pods()).transpose()?.map_or(0, |pods| pods.len());
    if change == Change::Enroll && enrolled >= MAX_PODS {
        bail!(
            "{enrolled} pods are enrolled on this node, and there is no room for another; `interceptor status` lists them, `interceptor clean` ends one"
        );
    }
    let mut steps = Vec::new();
    if node.is_none() {
        tracing::debug!(pins = %bpffs.version().display(), "the programs are not loaded yet");
        steps.push(Step::LoadPrograms);
    }
    let CompiledPolicy { policy: scalars, addresses, numbers, sources, primaries } = policy;
    if scalars.has(PolicyFlags::ACCELERATE) && Acceleration::open(&bpffs.version())?.is_none() {
        steps.push(Step::LoadAcceleration);
    }
    if scalars.has(PolicyFlags::IPV6) {
        steps.push(Step::PrepareIpv6);
    }
    steps.extend(MarkedRouting::of(scalars).map(Step::PrepareTproxy));
    steps.push(Step::WriteLists {
        addresses: addresses.len(),
        numbers: numbers.len(),
        sources: sources.len(),
        primaries: primaries.len(),
    });
    if !missing.is_empty() {
        steps.push(Step::Attach {
            programs: missing,
            cgroup: cgroup.path().to_path_buf(),
            netns: netns.path().to_path_buf(),
        });
    }
    steps.push(Step::AdoptListeners { ports: [scalars.outbound_port, scalars.inbound_port] });
    steps.push(Step::PutInForce { cookie });
    if change == Change::Switch {
        steps.push(Step::RemoveOldLists);
    }
    Ok(Plan { change, steps })
}

fn execute(bpffs: &Bpffs, lock: &Lock, node: &mut Option<Node>, plan: &Plan, request: Request<'_>) -> Result<()> {
    let Request { netns, cgroup, policy, force: _, force_acceleration: _ } = request;
    let mut generation = 0;
    for step in &plan.steps {
        tracing::debug!("{step}");
        if *step == Step::LoadPrograms {
            *node = Some(Node::load(bpffs, lock)?);
            continue;
        }
        let node = node.as_mut().context("The programs are not loaded")?;
        match step {
            Step::LoadPrograms => {}
            Step::LoadAcceleration => drop(Acceleration::load(&node.directory)?),
            Step::PrepareIpv6 => ipv6::prepare(netns)?,
            Step::PrepareTproxy(routing) => routing.prepare(netns)?,
            Step::WriteLists { .. } => {
                if node.is_of_another_build()? {
                    tracing::warn!(
                        "the programs in use are of another build; they are replaced when the last pod has gone (`interceptor clean --all`)"
                    );
                }
                let state = node.tables.node()?;
                generation = state.last_generation + 1;
                if generation > Policy::MAX_GENERATION {
                    bail!(
                        "No name is left for another configuration on this node; run `interceptor clean --all` and enroll the pods anew"
                    );
                }
                node.tables
                    .set_node(NodeState { last_generation: generation, unfinished: 1, ..state })?;
                node.tables.write_lists(generation, policy)?;
            }
            Step::Attach { .. } => {
                links::attach_missing(
                    &node.directory,
                    &node.pod_directory(netns.cookie()),
                    &policy.policy,
                    cgroup,
                    netns,
                )?;
            }
            Step::AdoptListeners { .. } => {
                let adopted = adopt::adopt(&mut node.tables, netns, policy)?;
                tracing::debug!(adopted, "recorded sockets that already listen");
            }
            Step::PutInForce { cookie } => {
                node.tables.add_counters(*cookie)?;
                node.tables.set_pod(*cookie, enrollment(generation, request)?)?;
                if let Some(mut acceleration) = Acceleration::open(&node.directory)? {
                    node.publish_pod_addresses(&mut acceleration)?;
                }
                if plan.change == Change::Enroll {
                    let state = node.tables.node()?;
                    node.tables.set_node(NodeState { unfinished: 0, ..state })?;
                }
            }
            Step::RemoveOldLists => {
                node.finish()?;
                node.retire_acceleration()?;
            }
        }
    }
    Ok(())
}

fn enrollment(generation: u32, request: Request<'_>) -> Result<Enrollment> {
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

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let heading = match self.change {
            Change::Nothing => "The pod is enrolled with this configuration; nothing to do",
            Change::Enroll => "Enroll the pod:",
            Change::Switch => "Switch the pod to another configuration:",
        };
        f.write_str(heading)?;
        for (index, step) in self.steps.iter().enumerate() {
            write!(f, "\n  {}. {step}", index + 1)?;
        }
        Ok(())
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LoadPrograms => f.write_str("load the kernel programs and create the maps"),
            Self::LoadAcceleration => {
                f.write_str("try whether this kernel accelerates safely, and load the programs and maps for it")
            }
            Self::PrepareIpv6 => f.write_str("make ::6 and the network of the IPv6 slots local in the pod"),
            Self::PrepareTproxy(routing) => routing.fmt(f),
            Self::WriteLists { addresses, numbers, sources, primaries } => {
                write!(
                    f,
                    "write the lists: {addresses} address ranges, {numbers} ranges of ports and ids, {sources} sources by route, \
                     {primaries} secondary addresses"
                )
            }
            Self::Attach { programs, cgroup, netns } => {
                write!(
                    f,
                    "attach {} to {} and {}",
                    programs.join(", "),
                    cgroup.display(),
                    netns.display()
                )
            }
            Self::AdoptListeners { ports: [outbound, inbound] } => {
                write!(
                    f,
                    "record the sidecar's sockets that already listen on ports {outbound} and {inbound}"
                )
            }
            Self::PutInForce { cookie } => {
                write!(f, "put the interception in force (network namespace cookie {cookie})")
            }
            Self::RemoveOldLists => f.write_str("remove the lists of the configuration before"),
        }
    }
}
