// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What a run does to a pod, as plain data: drawn here, printed by a dry run, carried out by `execute`. Drawing a
//! plan changes nothing.

use std::{collections::HashSet, fmt, path::PathBuf};

use anyhow::Result;
use interceptor_config::CompiledPolicy;
use interceptor_policy::{Address, Enrollment, MAX_PODS, PolicyFlags};

use crate::{
    EnrollError,
    kernel::{
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
            tproxy::MarkedRouting,
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
}

/// What a run does to a pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It is enrolled with this very policy.
    Nothing,
    Enroll,
    Switch,
}

/// The steps of a run, in order. The pod's enrollment begins, or changes, at [`Step::PutInForce`] and at no other
/// step.
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
    PrepareDns { ipv4: bool, ipv6: bool },
    PrepareTproxy(MarkedRouting),
    WriteLists { addresses: usize, numbers: usize, sources: usize, primaries: usize },
    Attach { programs: Vec<&'static str>, cgroup: PathBuf, netns: String },
    AdoptListeners { ports: [u16; 2] },
    PutInForce { netns_cookie: u64 },
    AdoptLateListeners,
    RemoveOldLists,
}

/// Draws the plan for a request.
pub(crate) fn draw(bpffs: &Bpffs, node: Option<&PinnedNode>, request: Request<'_>) -> Result<Plan> {
    let Request { netns, cgroup, policy, force, force_acceleration: _ } = request;
    let netns_cookie = netns.cookie();
    let enrollment = node.map(|node| node.maps.pod(netns_cookie)).transpose()?.flatten();
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
        Some(old) if old.fingerprint == fingerprint(policy) && missing.is_empty() && !force => Change::Nothing,
        Some(_) => Change::Switch,
    };
    if change == Change::Enroll {
        check_room(node, cgroup)?;
    }
    let steps = match change {
        Change::Nothing => Vec::new(),
        Change::Enroll | Change::Switch => steps(bpffs, node, request, change, missing)?,
    };
    Ok(Plan { change, steps })
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
    if scalars.has(PolicyFlags::IPV6) {
        steps.push(Step::PrepareIpv6);
    }
    if scalars.has(PolicyFlags::DNS) {
        // Without an address of its own, the pod sends nothing by IPv4.
        let ipv4 = !scalars.pod_address(Address::UNSPECIFIED_V4).is_unspecified();
        steps.push(Step::PrepareDns { ipv4, ipv6: scalars.has(PolicyFlags::IPV6) });
    }
    steps.extend(MarkedRouting::of(scalars).map(Step::PrepareTproxy));
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
                f.write_str("check that this kernel accelerates safely, and load the programs and maps for it")
            }
            Self::PrepareIpv6 => f.write_str("make ::6 and the network of the IPv6 slots local in the pod"),
            Self::PrepareDns { ipv4, ipv6 } => {
                let agent = match (ipv4, ipv6) {
                    (true, true) => "127.0.0.1 and ::1",
                    (false, true) => "::1",
                    (_, false) => "127.0.0.1",
                };
                write!(f, "make {agent} local at every interface, for questions that name one")
            }
            Self::PrepareTproxy(routing) => routing.fmt(f),
            Self::WriteLists { addresses, numbers, sources, primaries } => {
                write!(
                    f,
                    "write the lists: {addresses} address ranges, {numbers} ranges of ports and ids, {sources} sources \
                     by route, {primaries} secondary addresses"
                )
            }
            Self::Attach { programs, cgroup, netns } => {
                write!(f, "attach {} to {} and {}", programs.join(", "), cgroup.display(), netns)
            }
            Self::AdoptListeners { ports: [outbound, inbound] } => {
                write!(
                    f,
                    "record the sidecar's sockets that already listen on ports {outbound} and {inbound}"
                )
            }
            Self::PutInForce { netns_cookie } => {
                write!(f, "put the policy in force (network namespace cookie {netns_cookie})")
            }
            Self::AdoptLateListeners => {
                f.write_str("record those of the sidecar's sockets that began to listen meanwhile")
            }
            Self::RemoveOldLists => f.write_str("remove the lists of the previous policy"),
        }
    }
}
