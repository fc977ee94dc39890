// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Giving the links of all pods other programs. Each changes from one program to the other in one step, so no call ever
//! runs without a program. All of it may be repeated.

use std::{
    io,
    os::fd::{AsFd as _, OwnedFd},
    path::Path,
};

use anyhow::{Context as _, Result};
use aya::{
    maps::{Map, MapData, ProgramArray},
    programs::SkLookup,
};
use interceptor_policy::maps::{LOOKUP_CALLER, LOOKUP_PROGS, MapName};

use crate::kernel::{
    node::{acceleration, builds::pins, guard, layout::Layout},
    programs::{
        lookup_stub,
        table::{self, ACCELERATION_CGROUP_PROGRAMS, CGROUP_PROGRAMS, GUARD, ProgramInfo, SK_LOOKUP},
    },
    sys,
};

/// Gives every link of the node the program in `programs`, or in `of_acceleration` if that exists.
pub(super) fn attach_all(layout: &Layout, programs: &Path, of_acceleration: &Path) -> Result<()> {
    set_tail_call_target(layout, programs)?;
    for cgroup in pins(&layout.cgroups())? {
        update_links(&cgroup, CGROUP_PROGRAMS, programs)?;
        update_links(&cgroup, ACCELERATION_CGROUP_PROGRAMS, of_acceleration)?;
    }
    for pod in pins(&layout.pods())? {
        update_stub(layout, &pod)?;
        let program = programs.join(GUARD.name);
        if program.exists() {
            for (_, link) in guard::pins(&pod)? {
                update(&link, &program)?;
            }
        }
    }
    if of_acceleration.exists() {
        acceleration::attach_programs(&layout.acceleration(), of_acceleration)?;
    }
    Ok(())
}

/// Gives the links of all cgroups the programs in `programs` that give out slots, or those that do not.
pub(super) fn attach_to_cgroups(layout: &Layout, programs: &Path, that_give_out_slots: bool) -> Result<()> {
    let infos: Vec<_> = CGROUP_PROGRAMS
        .into_iter()
        .filter(|info| table::gives_out_slots(*info) == that_give_out_slots)
        .collect();
    pins(&layout.cgroups())?
        .iter()
        .try_for_each(|cgroup| update_links(cgroup, infos.iter().copied(), programs))
}

/// Gives the links that are pinned in `links` the programs of the same names.
fn update_links(links: &Path, infos: impl IntoIterator<Item = ProgramInfo>, programs: &Path) -> Result<()> {
    for info in infos {
        let (link, program) = (links.join(info.name), programs.join(info.name));
        if link.exists() && program.exists() {
            update(&link, &program)?;
        }
    }
    Ok(())
}

fn update(link: &Path, program: &Path) -> Result<()> {
    let updated = sys::bpf_link_update(&open(link)?, &open(program)?);
    gone_is_fine(updated).with_context(|| format!("Failed to change the program of {}", link.display()))
}

/// A build may have another stub.
fn update_stub(layout: &Layout, pod: &Path) -> Result<()> {
    let path = pod.join(SK_LOOKUP.name);
    let cookie = pod.file_name().and_then(|name| name.to_str()?.parse().ok());
    let Some(netns_cookie) = cookie.filter(|_| path.exists()) else {
        return Ok(()); // the next enrollment of the pod attaches one
    };
    let map = |name: MapName| open(&layout.maps().join(name.as_str()));
    let stub = lookup_stub::load(netns_cookie, map(LOOKUP_CALLER)?.as_fd(), map(LOOKUP_PROGS)?.as_fd());
    let updated = sys::bpf_link_update(&open(&path)?, &stub.context("Failed to load the pod's stub of on_sk_lookup")?);
    gone_is_fine(updated).with_context(|| format!("Failed to change the program of {}", path.display()))
}

/// What a link was attached to may be gone. Then it does nothing, and the next run removes it.
fn gone_is_fine(updated: io::Result<()>) -> io::Result<()> {
    match updated {
        Err(error) if error.raw_os_error() == Some(nix::libc::ENOLINK) => Ok(()),
        updated => updated,
    }
}

/// Lets the stubs of all pods call `on_sk_lookup` of another directory.
fn set_tail_call_target(layout: &Layout, programs: &Path) -> Result<()> {
    let (map, program) = (layout.maps().join(LOOKUP_PROGS.as_str()), programs.join(SK_LOOKUP.name));
    let target = SkLookup::from_pin(&program).and_then(|program| Ok(program.fd()?.try_clone()?));
    let target = target.with_context(|| format!("Failed to open {}", program.display()))?;
    let opened = MapData::from_pin(&map)
        .and_then(Map::from_map_data)
        .and_then(ProgramArray::try_from);
    let mut targets = opened.with_context(|| format!("Failed to open the map {}", map.display()))?;
    targets
        .set(0, &target, 0)
        .with_context(|| format!("Failed to write the map {}", map.display()))
}

fn open(path: &Path) -> Result<OwnedFd> {
    sys::bpf_obj_get(path).with_context(|| format!("Failed to open {}", path.display()))
}
