// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The links of one pod: what attaches the shared programs to its cgroup, and its stub to its network namespace. A link
//! puts nothing in force before the pod has its entry in the map of pods.

use std::{
    fs::{self, File},
    io,
    os::fd::{AsFd as _, AsRawFd},
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
        table::{self, ACCELERATION_CGROUP_PROGRAMS, CGROUP_PROGRAMS, ProgramInfo, SK_LOOKUP},
    },
    sys::{self, tree::create_directory},
};

/// Attaches and pins the programs that the pod needs and has no link of.
pub(crate) fn attach_missing(layout: &Layout, policy: &Policy, cgroup: &Cgroup, netns: &Netns) -> Result<()> {
    let pod = layout.pod(netns.cookie());
    create_directory(&pod)?;
    let shared = CGROUP_PROGRAMS.map(|info| (info, layout.programs()));
    let of_acceleration = ACCELERATION_CGROUP_PROGRAMS.map(|info| (info, layout.acceleration().programs()));
    for (info, directory) in shared.into_iter().chain(of_acceleration) {
        if info.is_needed(policy) && !pod.join(info.name).exists() {
            attach(info, &open(&directory.join(info.name))?, cgroup.file(), &pod)?;
        }
    }
    if !pod.join(SK_LOOKUP.name).exists() {
        let map = |name: MapName| open(&layout.maps().join(name.as_str()));
        let stub = lookup_stub::load(netns.cookie(), map(LOOKUP_CALLER)?.as_fd(), map(LOOKUP_PROGS)?.as_fd());
        attach(
            SK_LOOKUP,
            &stub.context("Failed to load the pod's stub of on_sk_lookup")?,
            netns.file(),
            &pod,
        )?;
    }
    Ok(())
}

/// The names of the programs that a pod needs: those that it has a pinned link of, and those that it has not.
pub(crate) fn attached_and_missing(pod: &Path, policy: &Policy) -> (Vec<&'static str>, Vec<&'static str>) {
    let needed = table::linked_programs().filter(|info| info.is_needed(policy));
    needed.map(|info| info.name).partition(|name| pod.join(name).exists())
}

/// Detaches the programs of acceleration from a pod.
pub(crate) fn detach_acceleration(pod: &Path) -> Result<()> {
    for pin in ACCELERATION_CGROUP_PROGRAMS.map(|info| pod.join(info.name)) {
        match fs::remove_file(&pin) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(error).with_context(|| format!("Failed to remove {}", pin.display()));
            }
            _ => {}
        }
    }
    Ok(())
}

/// Whether programs of acceleration are attached to a pod.
pub(crate) fn has_acceleration(pod: &Path) -> bool {
    ACCELERATION_CGROUP_PROGRAMS.iter().any(|info| pod.join(info.name).exists())
}

/// Whether the pod's network namespace is gone. The kernel then detaches its link, and shows 0 as the inode number of
/// the link's namespace.
pub(crate) fn namespace_is_gone(pod: &Path) -> Result<bool> {
    let pin = pod.join(SK_LOOKUP.name);
    let link = match sys::bpf_obj_get(&pin) {
        Ok(link) => link,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error).with_context(|| format!("Failed to open {}", pin.display())),
    };
    let path = format!("/proc/self/fdinfo/{}", link.as_raw_fd());
    let text = fs::read_to_string(&path).with_context(|| format!("Failed to read {path}"))?;
    let is_zero = |(key, value): (&str, &str)| key == "netns_ino" && value.trim() == "0";
    Ok(text.lines().any(|line| line.split_once(':').is_some_and(is_zero)))
}

fn attach(info: ProgramInfo, program: &impl AsRawFd, target: &File, pod: &Path) -> Result<()> {
    let pin = pod.join(info.name);
    let link = info.attach(program, target)?;
    sys::bpf_obj_pin(&link, &pin).with_context(|| format!("Failed to pin {}", pin.display()))
}

fn open(path: &Path) -> Result<std::os::fd::OwnedFd> {
    sys::bpf_obj_get(path).with_context(|| format!("Failed to open {}", path.display()))
}
