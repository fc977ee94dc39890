// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `cargo xtask kubernetes`: builds Kubernetes out of Debian's source package, once for each machine. Nothing is
//! installed into the system, and no container image is fetched.
//!
//! Everything happens in the user's cache, where a lock admits one build at a time. An interrupted build goes on with
//! what Go's compiler has kept.

mod compile;
mod debian;
mod edits;
mod openapi;
mod place;

use std::fs::{self, File};
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result};

pub(crate) use place::{PROGRAMS, Place};

use crate::run::{exec, say};

#[derive(clap::Args)]
pub(crate) struct Options {}

pub(crate) fn run(_: &Options) -> Result<()> {
    let place = Place::find()?;
    let parent = place.build.parent().context("the cache has no parent")?;
    fs::create_dir_all(parent).with_context(|| format!("cannot make {}", parent.display()))?;
    let lock = parent.join("lock");
    let lock = File::create(&lock).with_context(|| format!("cannot open {}", lock.display()))?;
    if lock.try_lock().is_err() {
        say("waiting for another build of Kubernetes");
        lock.lock().context("cannot wait for another build of Kubernetes")?;
    }
    if place.missing().is_empty() {
        say(&format!("Kubernetes {} is in {}", place::version(), place.programs.display()));
        return Ok(());
    }
    build(&place)
}

fn build(place: &Place) -> Result<()> {
    let source = place.source();
    let programs = place.build.join("programs");
    for stale in [&source, &programs, &place.packages()] {
        remove(stale)?;
        fs::create_dir_all(stale).with_context(|| format!("cannot make {}", stale.display()))?;
    }
    debian::source(place)?;
    debian::replace_reflect2(place)?;
    edits::apply(&source)?;
    openapi::generate(place)?;
    compile::programs(place, &programs)?;
    debian::busybox(place, &programs)?;
    remove(&place.programs)?;
    fs::rename(&programs, &place.programs)
        .with_context(|| format!("cannot rename {} to {}", programs.display(), place.programs.display()))?;
    say(&format!("Kubernetes {} is in {}", place::version(), place.programs.display()));
    // Two gigabytes, which nothing needs again.
    remove(&place.build)
}

/// With a program of the system: Go writes its cache without permission to write, which only `root` removes as it is.
fn remove(directory: &Path) -> Result<()> {
    if directory.exists() {
        exec(Command::new("rm").arg("-rf").arg("--").arg(directory))?;
    }
    Ok(())
}
