// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The links of one pod: what attaches the shared programs to its cgroup, and its stub to its network namespace. A
//! link puts nothing in force before the pod has its entry in the map of pods.

use std::{
    fs::{self, File},
    io,
    os::fd::{AsFd as _, AsRawFd, OwnedFd},
    path::Path,
};

use anyhow::{Context as _, Result};
use interceptor_policy::{
    Policy,
    maps::{LOOKUP_CALLER, LOOKUP_PROGS, MapName},
};

use crate::kernel::{
    node::layout::Layout,
    pod::{cgroup::Cgroup, netns::Netns},
    programs::{
        lookup_stub,
        table::{ACCELERATION_CGROUP_PROGRAMS, CGROUP_PROGRAMS, ProgramInfo, SK_LOOKUP},
    },
    sys::{self, tree::create_directory},
};

/// The names of the programs that a pod needs, by whether it has a pinned link of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Links {
    pub(crate) attached: Vec<&'static str>,
    pub(crate) missing: Vec<&'static str>,
}

/// Looks for the links of a pod with this policy.
pub(crate) fn look(layout: &Layout, netns_cookie: u64, cgroup_id: u64, policy: &Policy) -> Links {
    let of_cgroup = CGROUP_PROGRAMS.into_iter().chain(ACCELERATION_CGROUP_PROGRAMS);
    let of_cgroup = of_cgroup.map(|info| (info, layout.cgroup(cgroup_id)));
    let all = of_cgroup.chain([(SK_LOOKUP, layout.pod(netns_cookie))]);
    let needed = all.filter(|(info, _directory)| info.is_needed(policy));
    let (attached, missing): (Vec<_>, Vec<_>) =
        needed.partition(|(info, directory)| directory.join(info.name).exists());
    let names = |programs: Vec<(ProgramInfo, _)>| programs.into_iter().map(|(info, _directory)| info.name).collect();
    Links { attached: names(attached), missing: names(missing) }
}

/// Attaches and pins the programs that the pod needs and has no link of. A cgroup that several network namespaces are
/// enrolled with has one link of each program, so that no call runs a program twice.
pub(crate) fn attach_missing(layout: &Layout, policy: &Policy, cgroup: &Cgroup, netns: &Netns) -> Result<()> {
    let (of_pod, of_cgroup) = (layout.pod(netns.cookie()), layout.cgroup(cgroup.id()));
    create_directory(&of_pod)?;
    create_directory(&of_cgroup)?;
    let shared = CGROUP_PROGRAMS.map(|info| (info, layout.programs()));
    let of_acceleration = ACCELERATION_CGROUP_PROGRAMS.map(|info| (info, layout.acceleration().programs()));
    for (info, programs) in shared.into_iter().chain(of_acceleration) {
        if info.is_needed(policy) && !of_cgroup.join(info.name).exists() {
            attach(info, &open(&programs.join(info.name))?, cgroup.file(), &of_cgroup)?;
        }
    }
    if !of_pod.join(SK_LOOKUP.name).exists() {
        let map = |name: MapName| open(&layout.maps().join(name.as_str()));
        let stub = lookup_stub::load(netns.cookie(), map(LOOKUP_CALLER)?.as_fd(), map(LOOKUP_PROGS)?.as_fd());
        attach(
            SK_LOOKUP,
            &stub.context("Failed to load the pod's stub of on_sk_lookup")?,
            netns.file(),
            &of_pod,
        )?;
    }
    Ok(())
}

/// Detaches the programs of acceleration from the cgroup whose links are pinned there.
pub(crate) fn detach_acceleration(cgroup: &Path) -> Result<()> {
    for pin in ACCELERATION_CGROUP_PROGRAMS.map(|info| cgroup.join(info.name)) {
        match fs::remove_file(&pin) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(error).with_context(|| format!("Failed to remove {}", pin.display()));
            }
            _ => {}
        }
    }
    Ok(())
}

/// Whether programs of acceleration are attached to a cgroup.
pub(crate) fn has_acceleration(layout: &Layout, cgroup_id: u64) -> bool {
    ACCELERATION_CGROUP_PROGRAMS
        .iter()
        .any(|info| layout.cgroup(cgroup_id).join(info.name).exists())
}

/// Whether the pod's network namespace is gone. The kernel then detaches its link, and shows 0 as the inode number of
/// the link's namespace.
pub(crate) fn namespace_is_gone(layout: &Layout, netns_cookie: u64) -> Result<bool> {
    let pin = layout.pod(netns_cookie).join(SK_LOOKUP.name);
    let link = match sys::bpf_obj_get(&pin) {
        Ok(link) => link,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error).with_context(|| format!("Failed to open {}", pin.display())),
    };
    Ok(sys::fdinfo(&link, "netns_ino")?.is_some_and(|inode| inode == "0"))
}

fn attach(info: ProgramInfo, program: &impl AsRawFd, target: &File, directory: &Path) -> Result<()> {
    let pin = directory.join(info.name);
    let link = info.attach(program, target)?;
    sys::bpf_obj_pin(&link, &pin).with_context(|| format!("Failed to pin {}", pin.display()))
}

fn open(path: &Path) -> Result<OwnedFd> {
    sys::bpf_obj_get(path).with_context(|| format!("Failed to open {}", path.display()))
}
