// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The state of the node, as the maps and pins tell it. Nothing here writes.

use std::path::PathBuf;

use anyhow::Result;
use interceptor_config::CompiledPolicy;
use interceptor_policy::{Enrollment, PolicyFlags, Reason};

use crate::Process;
use crate::kernel::{
    node::{
        bpffs::Bpffs,
        builds::{self, Builds},
        guard,
        links::{self, Links},
        moving,
        pinned::PinnedNode,
    },
    pod::{
        cgroup,
        members::{self, Processes},
    },
    programs::build::Build,
};

/// An enrolled pod.
#[derive(Clone, Debug)]
pub struct PodStatus {
    /// The cookie of its network namespace.
    pub netns_cookie: u64,
    pub enrollment: Enrollment,
    /// Its cgroup, if that still exists and is visible.
    pub cgroup: Option<PathBuf>,
    /// Whether its network namespace still exists.
    pub alive: bool,
    /// The programs that are attached.
    pub attached: Vec<&'static str>,
    /// The programs that should be attached and are not.
    pub missing: Vec<&'static str>,
    /// How many of its interfaces are guarded. `None` if the guard is off.
    pub guarded: Option<usize>,
    /// The processes of its network namespace that are not in its cgroup. `None` if there are too many cgroups below it
    /// to look at, or if its processes are not visible here; that must not hide the other pods.
    pub outsiders: Option<Vec<Process>>,
    /// The builds of the programs that are attached. After an upgrade that was interrupted, there can be two.
    pub builds: Vec<Build>,
    pub counters: Counts,
}

/// How often each reason was counted. Reasons that never were are left out.
pub type Counts = Vec<(Reason, u64)>;

/// All enrolled pods, the oldest network namespace first.
pub(crate) fn pods(bpffs: &Bpffs) -> Result<Vec<PodStatus>> {
    let Some(node) = PinnedNode::open(bpffs)? else { return Ok(Vec::new()) };
    let (processes, builds) = (Processes::read()?, Builds::read(&moving::with_earlier(&node.layout)?)?);
    let mut pods = node.maps.pods()?;
    pods.sort_by_key(|(cookie, _)| *cookie);
    pods.into_iter()
        .map(|(netns_cookie, enrollment)| {
            let Links { attached, missing } =
                links::look(&node.layout, netns_cookie, enrollment.cgroup_id, &enrollment.policy);
            let cgroup = cgroup::path_of(enrollment.cgroup_id);
            let outside = |cgroup: &PathBuf| {
                let are_visible = members::are_visible(cgroup).ok()?;
                are_visible.then(|| processes.outside(enrollment.netns_inode, cgroup).ok())?
            };
            let guarded = enrollment.policy.has(PolicyFlags::GUARD);
            Ok(PodStatus {
                guarded: guarded.then(|| guard::count(&node.layout, netns_cookie)).transpose()?,
                outsiders: cgroup.as_ref().map_or_else(|| Some(Vec::new()), outside),
                netns_cookie,
                enrollment,
                cgroup,
                alive: !links::namespace_is_gone(&node.layout, netns_cookie)?,
                attached,
                missing,
                builds: builds
                    .of_pod(&node.layout, netns_cookie, enrollment.cgroup_id)?
                    .into_iter()
                    .collect(),
                counters: node.maps.reasons(netns_cookie)?,
            })
        })
        .collect()
}

/// The entries of all enrolled pods, by cookie.
pub(crate) fn enrollments(bpffs: &Bpffs) -> Result<Vec<(u64, Enrollment)>> {
    PinnedNode::open(bpffs)?.map_or_else(|| Ok(Vec::new()), |node| node.maps.pods())
}

/// The entry of the pod with this cookie.
pub(crate) fn enrollment(bpffs: &Bpffs, netns_cookie: u64) -> Result<Option<Enrollment>> {
    PinnedNode::open(bpffs)?.map_or_else(|| Ok(None), |node| node.maps.pod(netns_cookie))
}

/// How many pods each other version of the ABI has enrolled, by the name of the version.
pub(crate) fn pods_of_other_versions(bpffs: &Bpffs) -> Result<Vec<(String, usize)>> {
    let home = bpffs.home();
    home.exists()?;
    let others = home.names()?.into_iter().filter(|name| {
        let number = name.strip_prefix('v').and_then(|number| number.parse::<u32>().ok());
        number.is_some_and(|number| number != interceptor_policy::ABI_VERSION)
    });
    others
        .map(|name| {
            let pods = builds::pins(&home.version(&name).pods())?.len();
            Ok((name, pods))
        })
        .filter(|counted| !matches!(counted, Ok((_, 0))))
        .collect()
}

/// Whether any version has something pinned for a network namespace.
pub(crate) fn is_pinned(bpffs: &Bpffs, netns_cookie: u64) -> Result<bool> {
    let home = bpffs.home();
    home.exists()?;
    let names = home.names()?;
    Ok(names.iter().any(|name| home.version(name).pod(netns_cookie).exists()))
}

/// The counters of all enrolled pods, by cookie.
pub(crate) fn all_counters(bpffs: &Bpffs) -> Result<Vec<(u64, Counts)>> {
    let Some(node) = PinnedNode::open(bpffs)? else { return Ok(Vec::new()) };
    let pods = node.maps.pods()?.into_iter();
    pods.map(|(cookie, _)| Ok((cookie, node.maps.reasons(cookie)?))).collect()
}

/// How often each reason was counted in a pod. A pod that is not enrolled has no counters.
pub(crate) fn counters(bpffs: &Bpffs, netns_cookie: u64) -> Result<Counts> {
    PinnedNode::open(bpffs)?.map_or_else(|| Ok(Vec::new()), |node| node.maps.reasons(netns_cookie))
}

/// The policy that is in force in a pod, read back from the kernel. `None` if the pod is not enrolled.
pub(crate) fn policy(bpffs: &Bpffs, netns_cookie: u64) -> Result<Option<CompiledPolicy>> {
    let Some(node) = PinnedNode::open(bpffs)? else { return Ok(None) };
    let Some(Enrollment { policy, .. }) = node.maps.pod(netns_cookie)? else {
        return Ok(None);
    };
    Ok(Some(CompiledPolicy { policy, ..node.maps.read_lists(policy.generation)? }))
}
