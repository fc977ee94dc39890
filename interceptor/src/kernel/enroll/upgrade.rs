// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Giving the pods of a node the programs of another build, while they go on. The maps stay: both builds have the same
//! ABI. Each link changes from one program to the other in one step, so no call ever runs without a program.
//!
//! Programs that are going to be attached are pinned as the next ones first, and become the node's when no link is
//! left to change. So a run that was killed leaves a node that works, with programs of both builds, and any later run
//! begins again, or goes back.

use std::{
    fs, io,
    os::fd::{AsFd as _, OwnedFd},
    path::Path,
    time::Duration,
};

use anyhow::{Context as _, Result};
use aya::{
    maps::{Map, MapData, ProgramArray},
    programs::SkLookup,
};
use interceptor_policy::maps::{LOOKUP_CALLER, LOOKUP_PROGS, MapName};
use nix::fcntl::{AT_FDCWD, RenameFlags, renameat2};

use crate::{
    EnrollError,
    kernel::{
        enroll::way_back::{self, WayBack},
        node::{
            acceleration, bpffs::Bpffs, builds::pins, guard, layout::Layout, lock::Lock, pinned::PinnedNode, removal,
            staging::Staged,
        },
        programs::{
            build::Build,
            lookup_stub,
            table::{ACCELERATION_CGROUP_PROGRAMS, CGROUP_PROGRAMS, GUARD, ProgramInfo, SK_LOOKUP},
        },
        sys::{self, tree::remove_tree},
    },
};

/// An upgrade of a node, to be done or done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upgrade {
    /// The build whose programs are replaced. `None` if nothing tells.
    pub from: Option<Build>,
    pub to: Build,
    /// How many pods are enrolled.
    pub pods: usize,
}

impl Upgrade {
    /// Whether the programs are of the wanted build already.
    pub fn is_done(&self) -> bool {
        self.from.as_ref() == Some(&self.to)
    }
}

/// What [`upgrade`] would do now, or [`roll_back`] with `back`. `None` if no pod is enrolled.
pub(crate) fn plan(bpffs: &Bpffs, back: bool) -> Result<Option<Upgrade>> {
    let Some(node) = PinnedNode::open(bpffs)? else { return Ok(None) };
    if back {
        describe_way_back(&node).map(|(_, upgrade)| Some(upgrade))
    } else {
        describe(&node).map(Some)
    }
}

/// Gives all pods the programs of this build. `None` if no pod is enrolled.
pub(crate) fn upgrade(bpffs: &Bpffs, wait: Duration) -> Result<Option<Upgrade>> {
    loop {
        let Some(before) = PinnedNode::open(bpffs)? else { return Ok(None) };
        let needed = before.build()?.as_ref() != Some(&Build::this());
        // The verifier takes a while, so this is done before the lock is taken.
        let staged = needed.then(|| Staged::load_programs(bpffs, &before.layout));
        let lock = Lock::take(&bpffs.home(), wait)?;
        removal::finish(bpffs, &lock)?;
        let Some(node) = PinnedNode::open(bpffs)? else { return Ok(None) };
        if !node.is_same(&before) {
            continue; // its last pod went meanwhile, and another came: there are other maps
        }
        let upgrade = describe(&node)?;
        match staged.transpose()? {
            None => finish(&node)?,
            Some(staged) if staged.has_acceleration() != node.layout.acceleration().root().exists() => continue,
            Some(staged) => {
                way_back::mark(&node.layout.programs())?;
                staged.publish_programs(&node.layout, &lock)?;
                switch(&node)?;
            }
        }
        return Ok(Some(upgrade));
    }
}

/// Gives all pods the programs back that were replaced last. `None` if no pod is enrolled.
pub(crate) fn roll_back(bpffs: &Bpffs, wait: Duration) -> Result<Option<Upgrade>> {
    if PinnedNode::open(bpffs)?.is_none() {
        return Ok(None);
    }
    let lock = Lock::take(&bpffs.home(), wait)?;
    removal::finish(bpffs, &lock)?;
    let Some(node) = PinnedNode::open(bpffs)? else { return Ok(None) };
    let (way_back, upgrade) = describe_way_back(&node)?;
    match way_back {
        WayBack::Before => {
            way_back::mark(&node.layout.programs_before())?;
            way_back::unmark(&node.layout.programs())?;
            before_is_next(&node.layout)?;
            switch(&node)?;
        }
        WayBack::Next => {
            before_is_next(&node.layout)?;
            switch(&node)?;
        }
        WayBack::Programs => finish(&node)?,
    }
    Ok(Some(upgrade))
}

fn describe(node: &PinnedNode) -> Result<Upgrade> {
    Ok(Upgrade { from: node.build()?, to: Build::this(), pods: node.maps.pods()?.len() })
}

fn describe_way_back(node: &PinnedNode) -> Result<(WayBack, Upgrade)> {
    let way_back = WayBack::of(&node.layout)?;
    let to = Build::of(&way_back.directory(&node.layout))?.ok_or(EnrollError::NoEarlierBuild)?;
    let from = way_back.replaced(&node.layout)?;
    Ok((way_back, Upgrade { from, to, pods: node.maps.pods()?.len() }))
}

/// The programs that were replaced last are going to be attached. The node's come first, and those of acceleration
/// follow, here or, if this is killed, in the next run.
fn before_is_next(layout: &Layout) -> Result<()> {
    let acceleration = layout.acceleration();
    for (before, next) in [
        (layout.programs_before(), layout.programs_next()),
        (acceleration.programs_before(), acceleration.programs_next()),
    ] {
        if before.exists() && !next.exists() {
            rename(&before, &next)?;
        }
    }
    Ok(())
}

/// Finishes what a run that was killed began: the node has the wanted programs, and links may have others.
fn finish(node: &PinnedNode) -> Result<()> {
    let layout = &node.layout;
    if layout.programs_next().exists() || layout.acceleration().programs_next().exists() {
        attach_all(node, &layout.programs(), &layout.acceleration().programs())?;
        keep_as_before(layout)?;
    }
    Ok(())
}

/// Attaches the next programs everywhere, and makes them the node's.
fn switch(node: &PinnedNode) -> Result<()> {
    let layout = &node.layout;
    let acceleration = layout.acceleration();
    attach_all(node, &layout.programs_next(), &acceleration.programs_next())?;
    for (next, programs) in
        [(acceleration.programs_next(), acceleration.programs()), (layout.programs_next(), layout.programs())]
    {
        if next.exists() {
            renameat2(AT_FDCWD, &next, AT_FDCWD, &programs, RenameFlags::RENAME_EXCHANGE)
                .with_context(|| format!("Failed to exchange {} and {}", next.display(), programs.display()))?;
        }
    }
    keep_as_before(layout)
}

/// What was the node's, and stands where the next programs were, is kept for the way back.
fn keep_as_before(layout: &Layout) -> Result<()> {
    let acceleration = layout.acceleration();
    for (next, before) in [
        (acceleration.programs_next(), acceleration.programs_before()),
        (layout.programs_next(), layout.programs_before()),
    ] {
        if next.exists() {
            remove_tree(&before)?;
            rename(&next, &before)?;
        }
    }
    Ok(())
}

/// Gives every link of the node the program in `programs`, or in `of_acceleration` if that exists.
fn attach_all(node: &PinnedNode, programs: &Path, of_acceleration: &Path) -> Result<()> {
    let layout = &node.layout;
    set_tail_call_target(layout, programs)?;
    for cgroup in pins(&layout.cgroups())? {
        update_links(&cgroup, CGROUP_PROGRAMS, programs)?;
        update_links(&cgroup, ACCELERATION_CGROUP_PROGRAMS, of_acceleration)?;
    }
    for (cookie, _) in node.maps.pods()? {
        update_stub(layout, cookie)?;
        let program = programs.join(GUARD.name);
        if program.exists() {
            for (_, link) in guard::pins(&layout.pod(cookie))? {
                update(&link, &program)?;
            }
        }
    }
    if of_acceleration.exists() {
        acceleration::attach_programs(&layout.acceleration(), of_acceleration)?;
    }
    Ok(())
}

/// Gives the links that are pinned in `links` the programs of the same names.
fn update_links<const N: usize>(links: &Path, infos: [ProgramInfo; N], programs: &Path) -> Result<()> {
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
fn update_stub(layout: &Layout, netns_cookie: u64) -> Result<()> {
    let path = layout.pod(netns_cookie).join(SK_LOOKUP.name);
    if !path.exists() {
        return Ok(()); // the next enrollment of the pod attaches one
    }
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

fn rename(from: &Path, to: &Path) -> Result<()> {
    fs::rename(from, to).with_context(|| format!("Failed to rename {}", from.display()))
}

fn open(path: &Path) -> Result<OwnedFd> {
    sys::bpf_obj_get(path).with_context(|| format!("Failed to open {}", path.display()))
}
