// SPDX-License-Identifier: Apache-2.0 OR MIT
use std::{
    fs::{self, File},
    io,
    os::fd::{AsFd as _, AsRawFd},
    path::Path,
};

use anyhow::{Context as _, Result};
use interceptor_policy::Policy;

use crate::kernel::{
    node::acceleration::Acceleration,
    pod::cgroup::Cgroup,
    pod::netns::Netns,
    programs::lookup_stub,
    programs::object::{self, ACCELERATION_CGROUP_PROGRAMS, CGROUP_PROGRAMS, ProgramInfo, SK_LOOKUP},
    sys,
};

/// Attaches and pins what a pod does not have yet. Nothing of it is in force before the pod's entry is written.
pub(crate) fn attach_missing(
    version: &Path,
    pod: &Path,
    policy: &Policy,
    cgroup: &Cgroup,
    netns: &Netns,
) -> Result<()> {
    fs::create_dir_all(pod).with_context(|| format!("Failed to create {}", pod.display()))?;
    let own = CGROUP_PROGRAMS.map(|info| (info, version.join("programs")));
    let of_acceleration =
        ACCELERATION_CGROUP_PROGRAMS.map(|info| (info, Acceleration::directory(version).join("programs")));
    for (info, directory) in own
        .into_iter()
        .chain(of_acceleration)
        .filter(|(info, _directory)| info.is_needed(policy))
    {
        if !pod.join(info.name).exists() {
            let path = directory.join(info.name);
            let program = sys::bpf_obj_get(&path).with_context(|| format!("Failed to open {}", path.display()))?;
            attach(info, &program, cgroup.file(), pod)?;
        }
    }
    if !pod.join(SK_LOOKUP.name).exists() {
        let map = |name| {
            let path = version.join("maps").join(name);
            sys::bpf_obj_get(&path).with_context(|| format!("Failed to open {}", path.display()))
        };
        let program = lookup_stub::load(netns.cookie(), map("LOOKUP_CALLER")?.as_fd(), map("LOOKUP_PROGS")?.as_fd());
        attach(
            SK_LOOKUP,
            &program.context("Failed to load the pod's lookup_stub to on_sk_lookup")?,
            netns.file(),
            pod,
        )?;
    }
    Ok(())
}

fn attach(info: ProgramInfo, program: &impl AsRawFd, target: &File, pod: &Path) -> Result<()> {
    let pin = pod.join(info.name);
    let link = info.attach(program, target)?;
    sys::bpf_obj_pin(&link, &pin).with_context(|| format!("Failed to pin {}", pin.display()))
}

/// The names of the programs that a pod needs and has a pinned link of, and of those that it has none of.
pub(crate) fn attached_and_missing(pod: &Path, policy: &Policy) -> (Vec<&'static str>, Vec<&'static str>) {
    object::linked_programs()
        .filter(|info| info.is_needed(policy))
        .map(|info| info.name)
        .partition(|name| pod.join(name).exists())
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

/// Whether the pod's network namespace is gone: the kernel has then cut its link loose, which shows as a zero inode
/// number.
pub(crate) fn namespace_is_gone(pod: &Path) -> Result<bool> {
    let pin = pod.join(SK_LOOKUP.name);
    let link = match sys::bpf_obj_get(&pin) {
        Ok(link) => link,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error).with_context(|| format!("Failed to open {}", pin.display())),
    };
    let path = format!("/proc/self/fdinfo/{}", link.as_raw_fd());
    let text = fs::read_to_string(&path).with_context(|| format!("Failed to read {path}"))?;
    Ok(text.lines().any(|line| {
        line.split_once(':')
            .is_some_and(|(key, value)| key == "netns_ino" && value.trim() == "0")
    }))
}
