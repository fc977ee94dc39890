// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Giving the pods of a node the programs of another build, while they go on. If both builds have the same ABI, the
//! maps stay; otherwise see [`take_over`].
//!
//! Programs that are going to be attached are pinned as the next ones first, and become the node's when no link is
//! left to change. So a run that was killed leaves a node that works, with programs of both builds, and any later run
//! begins again, or goes back.

use std::{fs, path::Path, time::Duration};

use anyhow::{Context as _, Result};
use interceptor_policy::ABI_VERSION;
use nix::fcntl::{AT_FDCWD, RenameFlags, renameat2};

use crate::{
    EnrollError,
    kernel::{
        enroll::{
            relink::attach_all,
            take_over::{self, Attempt},
            told::Upgrade,
            way_back::{self, WayBack},
        },
        node::{bpffs::Bpffs, layout::Layout, lock::Lock, moving, pinned::PinnedNode, removal, staging::Staged},
        programs::build::Build,
        sys::tree::remove_tree,
    },
};

/// What [`upgrade`] would do now, or [`roll_back`] with `back`. `None` if nothing is loaded.
pub(crate) fn plan(bpffs: &Bpffs, back: bool) -> Result<Option<Upgrade>> {
    let Some(node) = open(bpffs, back)? else {
        return take_over::plan(bpffs, back);
    };
    if back {
        describe_way_back(&node).map(|(_, upgrade)| Some(upgrade))
    } else {
        describe(&node).map(Some)
    }
}

/// Gives all pods the programs of this build. `None` if nothing is loaded.
pub(crate) fn upgrade(bpffs: &Bpffs, wait: Duration) -> Result<Option<Upgrade>> {
    loop {
        let Some(before) = open(bpffs, false)? else {
            match take_over::upgrade(bpffs, wait)? {
                Attempt::Done(upgrade) => return Ok(Some(upgrade)),
                Attempt::Nothing => return Ok(None),
                Attempt::Again => continue,
            }
        };
        let needed = before.build()?.as_ref() != Some(&Build::this());
        // The verifier takes a while, so this is done before the lock is taken.
        let staged = needed.then(|| Staged::load_programs(bpffs, &before.layout));
        let lock = Lock::take(&bpffs.home(), wait)?;
        removal::finish(bpffs, &lock)?;
        let Some(node) = PinnedNode::open(bpffs)? else { continue };
        if !node.is_same(&before) {
            continue; // its last pod went meanwhile, and another came: there are other maps
        }
        let upgrade = describe(&node)?;
        match staged.transpose()? {
            None => finish(&node)?,
            Some(staged) if staged.has_acceleration() != node.layout.acceleration().root().exists() => continue,
            Some(staged) => {
                take_over::finish(&node.layout)?;
                way_back::mark(&node.layout.programs())?;
                staged.publish_programs(&node.layout, &lock)?;
                switch(&node)?;
            }
        }
        return Ok(Some(upgrade));
    }
}

/// Gives all pods the programs back that were replaced last. `None` if nothing is loaded.
pub(crate) fn roll_back(bpffs: &Bpffs, wait: Duration) -> Result<Option<Upgrade>> {
    while open(bpffs, true)?.is_none() {
        match take_over::roll_back(bpffs, wait)? {
            Attempt::Done(upgrade) => return Ok(Some(upgrade)),
            Attempt::Nothing => return Ok(None),
            Attempt::Again => {}
        }
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
        WayBack::Earlier(version) => return take_over::roll_back_to(bpffs, &lock, version).map(Some),
    }
    Ok(Some(upgrade))
}

/// This version's pins. What is only kept for pods to come counts as nothing where there are pods to take over or, with
/// `back`, to give back to this version.
fn open(bpffs: &Bpffs, back: bool) -> Result<Option<PinnedNode>> {
    let node = PinnedNode::open(bpffs)?;
    let is_in_the_way = match &node {
        Some(node) => node.maps.pods()?.is_empty() && take_over::is_possible(bpffs, back)?,
        None => false,
    };
    Ok(node.filter(|_node| !is_in_the_way))
}

fn describe(node: &PinnedNode) -> Result<Upgrade> {
    let [from_abi, to_abi] = [ABI_VERSION; 2];
    Ok(Upgrade {
        from: node.build()?,
        to: Build::this(),
        from_abi,
        to_abi,
        pods: node.maps.pods()?.len(),
    })
}

fn describe_way_back(node: &PinnedNode) -> Result<(WayBack, Upgrade)> {
    let way_back = WayBack::of(&node.layout)?;
    let to_abi = match way_back {
        WayBack::Earlier(version) => take_over::known(version)?.number,
        WayBack::Before | WayBack::Next | WayBack::Programs => ABI_VERSION,
    };
    let to = Build::of(&way_back.directory(&node.layout))?.ok_or(EnrollError::NoEarlierBuild)?;
    let from = way_back.replaced(&node.layout)?;
    let pods = node.maps.pods()?.len();
    Ok((way_back, Upgrade { from, to, from_abi: ABI_VERSION, to_abi, pods }))
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
        attach_all(layout, &layout.programs(), &layout.acceleration().programs())?;
        keep_as_before(layout)?;
        return Ok(());
    }
    take_over::finish(layout)
}

/// Attaches the next programs everywhere, and makes them the node's.
fn switch(node: &PinnedNode) -> Result<()> {
    let layout = &node.layout;
    let acceleration = layout.acceleration();
    attach_all(layout, &layout.programs_next(), &acceleration.programs_next())?;
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
    moving::forget(layout)
}

fn rename(from: &Path, to: &Path) -> Result<()> {
    fs::rename(from, to).with_context(|| format!("Failed to rename {}", from.display()))
}
