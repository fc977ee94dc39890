// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Taking over pods of another version of the ABI while they go on, and giving them back. Both versions share most
//! maps. Those that changed are filled before anything is attached that looks at them.

use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use interceptor_policy::{ABI_VERSION, maps};

use crate::kernel::{
    enroll::{relink, told::Upgrade, way_back::WayBack},
    node::{
        bpffs::Bpffs,
        builds::pins,
        changed_tables, conversion,
        layout::Layout,
        links,
        lock::Lock,
        moving::{self, Move},
        other_version::{ChangedTables, OtherVersion},
        removal,
        staging::Staged,
        versions::{self, KNOWN},
    },
    programs::build::Build,
    sys::{self, tree::create_directory},
};

/// What came of an attempt.
pub(super) enum Attempt {
    Done(Upgrade),
    /// There are no pods that can be moved.
    Nothing,
    /// Another run has changed the node, or has left something to finish, which is finished. Look again.
    Again,
}

/// Whether there are pods to take over or, with `back`, to give back to this version.
pub(super) fn is_possible(bpffs: &Bpffs, back: bool) -> Result<bool> {
    Ok(source(bpffs, back)?.is_some())
}

/// What [`upgrade`] would do now, or [`roll_back`] with `back`.
pub(super) fn plan(bpffs: &Bpffs, back: bool) -> Result<Option<Upgrade>> {
    let Some((other, layout)) = source(bpffs, back)? else { return Ok(None) };
    let to = if back { Build::of(&layout.earlier(ABI_VERSION).programs())? } else { None };
    let step = Move { from: other.number, to: ABI_VERSION, back };
    describe(&layout, step, to.unwrap_or_else(Build::this)).map(Some)
}

/// Takes over the pods of another version. This version has none.
pub(super) fn upgrade(bpffs: &Bpffs, wait: Duration) -> Result<Attempt> {
    let Some((other, layout)) = source(bpffs, false)? else {
        return finish_interrupted(bpffs, wait);
    };
    // The verifier takes a while, so this is done before the lock is taken.
    let staged = Staged::load_take_over(bpffs, &layout, other)?;
    let lock = Lock::take(&bpffs.home(), wait)?;
    removal::finish(bpffs, &lock)?;
    let is_current = staged.is_for(&layout)? && !removal::has_pods(&bpffs.layout())?;
    if !is_current {
        return Ok(Attempt::Again);
    }
    let step = Move { from: other.number, to: ABI_VERSION, back: false };
    let upgrade = describe(&layout, step, Build::this())?;
    move_pods(bpffs, &lock, step, staged.layout(), other)?;
    Ok(Attempt::Done(upgrade))
}

/// Gives pods of another version back to this one, which had them before. This version has none.
pub(super) fn roll_back(bpffs: &Bpffs, wait: Duration) -> Result<Attempt> {
    if source(bpffs, true)?.is_none() {
        return finish_interrupted(bpffs, wait);
    }
    let lock = Lock::take(&bpffs.home(), wait)?;
    removal::finish(bpffs, &lock)?;
    match source(bpffs, true)? {
        Some((other, layout)) if !removal::has_pods(&bpffs.layout())? => give_back(
            bpffs,
            &lock,
            &layout,
            Move { from: other.number, to: ABI_VERSION, back: true },
            other,
        )
        .map(Attempt::Done),
        _ => Ok(Attempt::Again),
    }
}

/// Gives the pods of this version back to the one that had them before.
pub(super) fn roll_back_to(bpffs: &Bpffs, lock: &Lock, number: u32) -> Result<Upgrade> {
    let other = known(number)?;
    give_back(
        bpffs,
        lock,
        &bpffs.layout(),
        Move { from: ABI_VERSION, to: number, back: true },
        other,
    )
}

/// The version that had the pods before.
pub(super) fn known(number: u32) -> Result<&'static OtherVersion> {
    versions::known(number).with_context(|| {
        format!(
            "This build does not know ABI version {number}, which had the pods before: run `interceptor upgrade \
             --rollback` of the build that gave them to this one"
        )
    })
}

fn give_back(bpffs: &Bpffs, lock: &Lock, layout: &Layout, step: Move, other: &OtherVersion) -> Result<Upgrade> {
    if layout.going_back().exists() {
        // A way back that was interrupted had led here.
        let from = moving::earlier_version(layout)?.map(|version| layout.earlier(version));
        let from = from.map(|earlier| Build::of(&earlier.programs())).transpose()?.flatten();
        let to = Build::of(&layout.programs())?.context("Nothing tells the build of the programs")?;
        settle(layout, Some(other), step.from == other.number)?;
        let step = Move { from: step.to, to: step.from, back: true };
        return Ok(Upgrade { from, ..describe(layout, step, to)? });
    }
    let new = layout.earlier(step.to);
    let to = Build::of(&new.programs())?.context("Nothing tells the build of the earlier programs")?;
    let upgrade = describe(layout, step, to)?;
    move_pods(bpffs, lock, step, &new, other)?;
    Ok(upgrade)
}

fn move_pods(bpffs: &Bpffs, lock: &Lock, step: Move, new: &Layout, other: &OtherVersion) -> Result<()> {
    let to = bpffs.layout_of(step.to);
    if removal::has_pods(&to)? {
        bail!("Pods were enrolled meanwhile by ABI version {}; try again", step.to);
    }
    // The node agent keeps programs there for pods to come.
    removal::remove_version(bpffs, lock, &to)?;
    let to_other = step.to == other.number;
    conversion::convert(other, to_other, &bpffs.layout_of(step.from), new)?;
    step.publish(bpffs, new, lock)?;
    settle(&to, Some(other), to_other)
}

/// Finishes what a run began that was killed, if links may have programs of the version that had the pods of this one
/// before.
pub(super) fn finish(layout: &Layout) -> Result<()> {
    if !moving::is_unfinished(layout) {
        return Ok(());
    }
    let Some(version) = moving::earlier_version(layout)? else {
        return moving::settle(layout);
    };
    let other = versions::known(version);
    // Slots of a version that this build does not know can be copied only by a build that knows both.
    if other.is_none() && !conversion::is_shared(maps::SLOTS, &layout.earlier(version), layout)? {
        known(version)?;
    }
    settle(layout, other, false)
}

/// Gives links the programs of the version that has the pods now. That is the other one with `to_other`.
fn settle(layout: &Layout, other: Option<&OtherVersion>, to_other: bool) -> Result<()> {
    let acceleration = layout.acceleration();
    if acceleration.root().exists() {
        create_directory(&acceleration.links())?;
    } else {
        for cgroup in pins(&layout.cgroups())? {
            links::detach_acceleration(&cgroup)?;
        }
    }
    if let Some(tables) = other.and_then(|other| other.tables.as_ref()) {
        settle_tables(layout, tables, to_other)?;
    }
    relink::attach_all(layout, &layout.programs(), &acceleration.programs())?;
    moving::settle(layout)
}

/// The order is what [`changed_tables`] says.
fn settle_tables(layout: &Layout, tables: &ChangedTables, to_other: bool) -> Result<()> {
    let version = moving::earlier_version(layout)?.context("The version is missing that had the pods before")?;
    if !to_other {
        relink::attach_to_cgroups(layout, &layout.programs(), false)?;
    }
    relink::attach_to_cgroups(layout, &layout.programs(), true)?;
    sys::wait_for_programs().context("Failed to wait for running programs (by a map of maps)")?;
    changed_tables::copy(tables, to_other, &layout.earlier(version), layout)
}

/// The version to take pods over from and where it is. With `back`, one that took this version's pods over.
fn source(bpffs: &Bpffs, back: bool) -> Result<Option<(&'static OtherVersion, Layout)>> {
    bpffs.home().exists()?;
    let mut found = Vec::new();
    for other in KNOWN {
        let layout = bpffs.layout_of(other.number);
        let has_pods = !pins(&layout.pods())?.is_empty();
        if has_pods && (!back || leads_here(&layout)?) {
            found.push((other, layout));
        }
    }
    Ok(found.into_iter().max_by_key(|(other, _)| other.number))
}

/// Whether the way back from another version leads to this one, or led from it and was interrupted.
fn leads_here(layout: &Layout) -> Result<bool> {
    let is_alternative = || matches!(WayBack::of(layout), Ok(WayBack::Earlier(_)));
    let keeps_this = moving::earlier_version(layout)? == Some(ABI_VERSION);
    Ok(keeps_this && (layout.going_back().exists() || is_alternative()))
}

fn describe(from: &Layout, step: Move, to: Build) -> Result<Upgrade> {
    let pods = pins(&from.pods())?.len();
    Ok(Upgrade {
        from: Build::of(&from.programs())?,
        to,
        from_abi: step.from,
        to_abi: step.to,
        pods,
    })
}

/// While pods are moved, no version has them.
fn finish_interrupted(bpffs: &Bpffs, wait: Duration) -> Result<Attempt> {
    let home = bpffs.home();
    if !home.exists()? || !moving::is_interrupted(&home)? {
        return Ok(Attempt::Nothing);
    }
    let lock = Lock::take(&home, wait)?;
    removal::finish(bpffs, &lock)?;
    Ok(Attempt::Again)
}
