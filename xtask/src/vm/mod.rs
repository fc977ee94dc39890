// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `cargo xtask vm`: a command under another kernel, in a machine that qemu emulates. It needs no KVM, no root and no
//! network.
//!
//! The machine's file system is an archive with the programs of this workspace, those of this system that they need,
//! and the kernel's modules; its first process is `interceptor-init`. Everything is kept in `target/kernels`.

mod built;
mod image;
mod kernel;
mod programs;
mod qemu;
mod step;
mod suite;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result};

pub(crate) use kernel::Version;
use step::Step;
pub(crate) use suite::{Extent, test};

use crate::setup;
use crate::suite::Suite;
use crate::workspace::Workspace;

#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  cargo xtask vm --kernel 6.1 -- interceptor check
  cargo xtask vm --kernel 6.12 -- rows ebpf::v4
  cargo xtask vm --kernel 6.1 -- sh -c 'uname -a; iptables-nft -t nat -S'")]
pub(crate) struct Options {
    /// Debian's cloud kernel of this version
    #[arg(long, value_name = "VERSION")]
    kernel: Version,
    /// Switch the machine off after this many minutes
    #[arg(long, value_name = "MINUTES", default_value_t = 30)]
    limit: u64,
    /// Fail when something is missing instead of installing it
    #[arg(long)]
    no_install: bool,
    /// What to run there: a program of this workspace, or one of the few others
    #[arg(last = true, required = true, value_name = "COMMAND")]
    command: Vec<String>,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    setup::run(&setup::Options::of_command(options.no_install, &[Suite::Kernels]))?;
    fetch(&[options.kernel], options.no_install)?;
    let built = built::build()?;
    boot(
        options.kernel,
        &built,
        &[Step::new(options.command.clone())],
        Duration::from_mins(options.limit),
    )
}

/// Gets the kernels that are not there yet.
pub(crate) fn fetch(versions: &[Version], no_install: bool) -> Result<()> {
    versions
        .iter()
        .try_for_each(|version| kernel::fetch(*version, &directory()?, no_install).map(drop))
}

fn boot(version: Version, built: &built::Built, steps: &[Step], limit: Duration) -> Result<()> {
    let directory = directory()?;
    let kernel = kernel::fetch(version, &directory, true)?;
    let archive = image::build(&directory, &kernel, built, steps)?;
    qemu::run(&kernel, &archive, limit).with_context(|| format!("on Linux {}", kernel.release))
}

fn directory() -> Result<PathBuf> {
    Ok(Workspace::load()?.target_dir.join("kernels"))
}
